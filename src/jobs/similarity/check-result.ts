import { UsageError } from '../../base/errors.js'
import { formatConfidence, formatEstimate, formatFoundConfidence, formatQuantity } from '../../base/format-numbers.js'
import { nameOption } from '../../base/name-option.js'
import type { Block } from '../../model/layers/block.js'
import { assertBlockSize } from '../../model/layers/blocks.js'
import { nameLayers } from '../../model/layers/names.js'
import { listMeasuredCuts, type MeasuredDocument } from '../../results/documents/measured-cuts.js'
import { describeMetric, type Metric } from '../../results/documents/metrics.js'
import {
  findBestBlock,
  findCertainty,
  type Recommending,
  recommendBlock,
} from '../../results/documents/result-views.js'
import { SCHEMAS } from '../../results/documents/schemas.js'
import type { SimilarityResult } from '../../results/documents/similarity-result.js'
import { type Check, type CutExpectations, checkCuts } from './check-cuts.js'

/** Expectations of a saved document; omitted ones are not checked. The first four are of a similarity result. */
export interface Expectations extends CutExpectations {
  /** Block size; if omitted, that of `expect` or of the run. */
  layersToSkip?: number | undefined
  /** The recommended block. */
  expect?: Block | undefined
  /** Maximum distance of the recommended block, inclusive. */
  maxDistance?: number | undefined
  /** Minimum confidence in the block of the smallest distance, inclusive. */
  minConfidence?: number | undefined
}

const BLOCK_OPTIONS = ['expect', 'maxDistance', 'minConfidence'] as const
const CUT_OPTIONS = ['maxPerplexityRatio', 'maxKl', 'maxSize', 'minTask'] as const

/**
 * Compares a saved document with what is expected of it; that it is whole is always expected. A similarity result and a
 * sweep are judged by what they recommend, an evaluation by each of its cuts.
 * @throws UsageError if nothing is expected, it does not fit the model, or what it is about was not measured
 */
export function checkResult(saved: MeasuredDocument, expected: Expectations): Check[] {
  const ofBlocks = BLOCK_OPTIONS.filter((name) => expected[name] !== undefined)
  const ofCuts = CUT_OPTIONS.filter((name) => expected[name] !== undefined)
  if (ofBlocks.length + ofCuts.length === 0) {
    throw new UsageError(`nothing is expected: give ${formatChoice([...BLOCK_OPTIONS, ...CUT_OPTIONS])}`)
  }
  const [first] = ofBlocks
  const isSimilarity = saved.schema === SCHEMAS.similarity
  if (first !== undefined && !isSimilarity) {
    throw new UsageError(`${nameOption(first)} is about blocks and their distances, and this is no similarity result`)
  }
  const cuts = ofCuts.length > 0 ? listMeasuredCuts(saved) : []
  return [
    ...checkWhole(saved),
    ...(isSimilarity && first !== undefined ? checkBlocks(saved, expected) : []),
    ...(ofCuts.length > 0 && cuts.length === 0 ? [noCut(saved)] : checkCuts(cuts, expected)),
  ]
}

function formatChoice(options: string[]): string {
  const names = options.map((name) => nameOption(name))
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
}

/** Fails for what is only a part. */
function checkWhole(saved: MeasuredDocument): Check[] {
  const { shard } = 'shard' in saved ? saved : {}
  const partial = 'partial' in saved && saved.partial
  if (!partial && !shard) return []
  const what = partial ? 'an interrupted run' : `shard ${shard!.index} of ${shard!.count}`
  const over = saved.schema === SCHEMAS.similarity ? `, over ${formatQuantity(saved.dataset.samples, 'text')}` : ''
  return [{ holds: false, text: `the result is only that of ${what}${over}: expected a complete one` }]
}

/** @throws UsageError for a similarity result, which only a check by perplexity says more about */
function noCut({ schema }: MeasuredDocument): Check {
  if (schema === SCHEMAS.similarity) {
    throw new UsageError('the result has distances alone', { hint: 'check blocks by perplexity with `verify`' })
  }
  return { holds: false, text: 'no cut is within the limits of the sweep: expected one' }
}

function checkBlocks(saved: SimilarityResult & Recommending, expected: Expectations): Check[] {
  const { expect: block, maxDistance, minConfidence } = expected
  assertPossible(maxDistance, saved.metric)
  const size = expectedSize(saved, expected)
  const found = recommendBlock(saved, size)
  const name = nameLayers(found)
  const checks: Check[] = []
  if (block !== undefined) {
    const holds = found.start === block.start
    checks.push({ holds, text: `the best block is ${name}${holds ? '' : `: expected ${nameLayers(block)}`}` })
  }
  if (maxDistance !== undefined) {
    const distance = saved.distances[size]![found.start]!
    const estimate = formatEstimate(distance, saved.standardErrors[size]![found.start]!)
    checks.push({
      holds: distance <= maxDistance,
      text: `the distance of ${name} is ${estimate}: expected at most ${maxDistance}`,
    })
  }
  if (minConfidence !== undefined) {
    checks.push(checkConfidence(saved, size, minConfidence))
  }
  return checks
}

/** Distances give a confidence only for the block of the smallest one, whichever block perplexity recommends. */
function checkConfidence(saved: SimilarityResult & Recommending, size: number, least: number): Check {
  const certainty = findCertainty(saved, size)
  const nearest = findBestBlock(saved.distances, size)
  const isRecommended = nearest.start === recommendBlock(saved, size).start
  const name = `${nameLayers(nearest)}${isRecommended ? '' : ', the smallest distance,'}`
  const confidence = certainty === null ? 'not known' : formatFoundConfidence(certainty.confidence)
  return {
    holds: certainty !== null && certainty.confidence >= least,
    text: `the confidence in ${name} is ${confidence}: expected at least ${formatConfidence(least)}`,
  }
}

/** A limit that no block can exceed would check nothing. */
function assertPossible(maxDistance: number | undefined, metric: Metric): void {
  const { title, limit } = describeMetric(metric)
  if (maxDistance !== undefined && maxDistance > limit) {
    throw new UsageError(`${nameOption('maxDistance', maxDistance)}: the ${title} is never above ${limit}`)
  }
}

function expectedSize({ model, layersToSkip, bestBlocks }: SimilarityResult, expected: Expectations): number {
  const { expect: block, layersToSkip: asked } = expected
  if (block === undefined) {
    if (asked === undefined && bestBlocks !== undefined) {
      throw new UsageError('the result has the nearest block of every size: choose one size', {
        hint: 'give `layersToSkip`',
      })
    }
    const size = asked ?? layersToSkip
    assertBlockSize(size, model.layers)
    return size
  }
  const size = block.end - block.start
  if (size < 1 || size >= model.layers || block.end > model.layers) {
    throw new UsageError(`[${block.start}, ${block.end}) is not a block of a model with ${model.layers} layers`)
  }
  if (asked !== undefined && asked !== size) {
    throw new UsageError(
      `${nameOption('expect')} names ${formatQuantity(size, 'layer')}, ${nameOption('layersToSkip', asked)}: they must agree`,
    )
  }
  return size
}
