import { UsageError } from '../../base/errors.js'
import { formatCount } from '../../base/format-numbers.js'
import { nameOption } from '../../base/name-option.js'
import type { MeasuredCut } from '../../results/documents/measured-cuts.js'

/** One expectation and whether it holds. */
export interface Check {
  holds: boolean
  /** The finding, and the expectation if it differs. */
  text: string
}

/** Limits of what a cut may cost, named as those of a sweep; omitted ones are not checked. */
export interface CutExpectations {
  /** Largest perplexity as a multiple of the whole model's, inclusive. */
  maxPerplexityRatio?: number | undefined
  /** Largest KL divergence from the whole model, in nats per token, inclusive. */
  maxKl?: number | undefined
  /** Largest size of the weights in bytes, inclusive. */
  maxSize?: number | undefined
  /** Least accuracies by task, inclusive. */
  minTask?: Record<string, number> | undefined
}

/**
 * Compares measured cuts with limits: each must hold.
 * @throws UsageError if a limit is of something that was not measured
 */
export function checkCuts(cuts: MeasuredCut[], limits: CutExpectations): Check[] {
  return cuts.flatMap((cut) => checkCut(cut, limits))
}

function checkCut(cut: MeasuredCut, { maxPerplexityRatio, maxKl, maxSize, minTask = {} }: CutExpectations): Check[] {
  const { name } = cut
  const checks: Check[] = []
  if (maxPerplexityRatio !== undefined) {
    const ratio = assertMeasured(cut.perplexityRatio, name, 'maxPerplexityRatio', 'perplexity beside the whole model')
    const found = ratio === null ? 'not finite' : `${ratio.toFixed(3)} times that of the whole model`
    const holds = ratio !== null && ratio <= maxPerplexityRatio
    checks.push({ holds, text: `the perplexity ${name} is ${found}: expected at most ${maxPerplexityRatio}` })
  }
  if (maxKl !== undefined) {
    const kl = assertMeasured(cut.kl, name, 'maxKl', 'KL divergence from the whole model')
    const found = kl === null ? 'not finite' : `${kl.toFixed(4)} nats per token`
    checks.push({
      holds: kl !== null && kl <= maxKl,
      text: `the KL divergence ${name} is ${found}: expected at most ${maxKl}`,
    })
  }
  if (maxSize !== undefined) {
    const bytes = assertMeasured(cut.bytes, name, 'maxSize', 'size')
    checks.push({
      holds: bytes !== null && bytes <= maxSize,
      text: `the weights ${name} take ${formatCount(bytes ?? 0)} bytes: expected at most ${formatCount(maxSize)}`,
    })
  }
  for (const [task, least] of Object.entries(minTask)) {
    const isMeasured = Object.hasOwn(cut.accuracies, task)
    if (!isMeasured) assertMeasured(undefined, name, 'minTask', `accuracy on ${task}`)
    const accuracy = cut.accuracies[task]
    const found = accuracy === undefined ? 'not finite' : accuracy.toFixed(4)
    checks.push({
      holds: accuracy !== undefined && accuracy >= least,
      text: `the accuracy on ${task} ${name} is ${found}: expected at least ${least}`,
    })
  }
  return checks
}

function assertMeasured<T>(value: T | undefined, name: string, option: string, what: string): T {
  if (value !== undefined) return value
  throw new UsageError(`${nameOption(option)}: the file has no ${what}, ${name}`, {
    hint: 'measure it with layerprune evaluate, and check its output',
  })
}
