import { basename, resolve } from 'node:path'
import {
  formatCount,
  formatDuration,
  formatPerplexity,
  formatQuantity,
  formatSize,
} from '../format-numbers.js'
import type { HealResult } from '../heal/heal-result.js'
import { formatUpload } from '../prune-command.js'

/** What a training did and gave, as a person reads it. */
export function formatHealed(result: HealResult, output: string): string {
  const { data, perplexity, standardError, written, sizeBytes } = result
  const { heldOut } = data
  const rows = (['before', 'after'] as const).map((time) => {
    const [value, error] = [perplexity[time], standardError[time]]
    if (value === null) return `  ${time.padEnd(6)}  not finite`
    return `  ${time.padEnd(6)}  ${formatPerplexity(value).padStart(8)}${error === null ? '' : ` ± ${formatPerplexity(error)}`}`
  })
  return [
    `Wrote ${written === 'model' ? 'the healed model' : 'the adapter'} to ${output} (${formatSize(sizeBytes)}).`,
    describeTraining(result),
    `Perplexity on ${formatQuantity(heldOut.texts, 'other text')} of ${heldOut.id} (${formatCount(heldOut.scoredTokens)} tokens):`,
    ...rows,
    'To publish it:',
    `  ${formatUpload(basename(resolve(output)), output)}`,
  ].join('\n')
}

const ENDINGS = {
  steps: '',
  minutes: '; the time was over before the learning rate had fallen to zero',
  patience: '; the loss on the other texts no longer fell',
}

function describeTraining({ trained, steps, bestStep, seconds, tokensPerSecond, ended }: HealResult): string {
  const what = `${formatCount(trained.parameters)} parameters in ${formatQuantity(trained.modules.length, 'module')}`
  const pace = `${formatDuration(seconds)}, ${formatCount(Math.round(tokensPerSecond))} tokens/s`
  const best = bestStep === steps ? '' : ` ${describeBest(bestStep)}`
  return `Trained ${what} for ${formatQuantity(steps, 'step')} (${pace})${ENDINGS[ended]}.${best}`
}

function describeBest(step: number): string {
  return step === 0
    ? 'No step lowered the loss on the other texts, so the weights did not change.'
    : `The weights are those of step ${step}, the best on the other texts.`
}
