import { formatCount, formatQuantity, formatSize } from '../../base/format-numbers.js'
import type { HealResult } from '../../jobs/heal/heal-result.js'
import type { PhaseFigures } from '../../jobs/repair/phase-meter.js'
import type { RepairReport } from '../../jobs/repair/repair-report.js'
import { describeTraining } from './healed.js'
import { formatForms } from './perplexities.js'

/** Describes a repair and the perplexity it reached; `heal` is a training after it, on the same texts. */
export function formatRepaired(report: RepairReport, heal?: HealResult): string {
  const { cuts, changed, evaluation } = report
  const healed = { perplexity: heal?.perplexity.after ?? null, error: heal?.standardError.after ?? null }
  const forms = ['whole', 'cut', 'repaired'] as const
  return [
    ...cuts.map(
      ({ start, end, layer, heldOutShare }) =>
        `Repaired before ${start}:${end} in layer ${layer}: ${Math.round(100 * heldOutShare)} % of the squared error remains on held-out texts.`,
    ),
    `Changed: ${changed.flatMap(({ weight, bias }) => [weight, bias ?? []].flat()).join(', ')}.`,
    ...(heal ? [describeTraining(heal)] : []),
    `Perplexity on ${formatQuantity(evaluation.texts, 'other text')} of ${evaluation.id} (${formatCount(evaluation.scoredTokens)} tokens):`,
    formatForms(
      heal ? [...forms, 'healed' as const] : forms,
      { ...report.perplexity, healed: healed.perplexity },
      { ...report.standardError, healed: healed.error },
    ),
  ].join('\n')
}

export function formatRepairPhases(phases: PhaseFigures[]): string {
  const total = phases.reduce((sum, { seconds }) => sum + seconds, 0)
  const most = Math.max(...phases.map(({ memoryBytes }) => memoryBytes))
  const parts = phases.map(
    ({ phase, seconds, memoryBytes }) => `${phase} ${seconds.toFixed(1)} s in ${formatSize(memoryBytes)}`,
  )
  return `repair: ${total.toFixed(1)} s, at most ${formatSize(most)} of memory: ${parts.join(', ')}`
}
