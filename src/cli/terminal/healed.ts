import { basename, resolve } from 'node:path'
import { formatCount, formatDuration, formatQuantity, formatSize } from '../../base/format-numbers.js'
import type { HealResult } from '../../jobs/heal/heal-result.js'
import { formatUpload } from '../../results/next-command.js'
import { formatForms } from './perplexities.js'

export function formatHealed(result: HealResult, output: string): string {
  const { written, sizeBytes } = result
  return [
    `Wrote ${written === 'model' ? 'the healed model' : 'the adapter'} to ${output} (${formatSize(sizeBytes)}).`,
    formatTrained(result),
    'To publish it:',
    `  ${formatUpload(basename(resolve(output)), output)}`,
  ].join('\n')
}

export function formatTrained(result: HealResult): string {
  const { data, perplexity, standardError } = result
  const { heldOut } = data
  return [
    describeTraining(result),
    `Perplexity on ${formatQuantity(heldOut.texts, 'other text')} of ${heldOut.id} (${formatCount(heldOut.scoredTokens)} tokens):`,
    formatForms(
      [...(perplexity.whole === undefined ? [] : (['whole'] as const)), 'before', 'after'],
      perplexity,
      standardError,
    ),
  ].join('\n')
}

const ENDINGS = {
  steps: '',
  minutes: '; the time was over',
  patience: '; the loss on the other texts no longer fell',
}

export function describeTraining({ trained, steps, bestStep, seconds, tokensPerSecond, ended }: HealResult): string {
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
