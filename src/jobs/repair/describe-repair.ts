import { formatCount, formatPerplexity, formatQuantity } from '../../base/format-numbers.js'
import type { CardContent } from '../../results/documents/card-content.js'
import { publicName } from '../../results/documents/public-name.js'
import type { RepairReport } from './repair-report.js'

export function describeRepairInCard(report: RepairReport): CardContent {
  const { calibration, evaluation, perplexity } = report
  return {
    sections: describeSections(report),
    datasets: [calibration.id],
    results:
      perplexity.repaired === null
        ? []
        : [{ dataset: evaluation.id, texts: evaluation.texts, perplexity: perplexity.repaired }],
  }
}

function describeSections({ changed, calibration, evaluation, perplexity }: RepairReport): string[] {
  const weights = changed.map(
    ({ weight, bias, ridge }) => `- \`${weight}\`${bias === null ? '' : ` and \`${bias}\``} (ridge ${ridge})`,
  )
  const texts = `${formatQuantity(calibration.texts, 'text')} of at most ${calibration.maxLength} tokens of \`${publicName(calibration.id)}\``
  const shown = (value: number | null) => (value === null ? 'not finite' : formatPerplexity(value))
  return [
    `The cut was repaired without training: by least squares over ${texts}, weights beside each cut were changed so that the residual stream comes out of their layers as it does in the whole model. By their names in the whole model:`,
    weights.join('\n'),
    [
      `| on ${evaluation.texts} other texts of \`${publicName(evaluation.id)}\` | perplexity |`,
      '| --- | --- |',
      `| whole model | ${shown(perplexity.whole)} |`,
      `| cut | ${shown(perplexity.cut)} |`,
      `| cut and repaired | ${shown(perplexity.repaired)} |`,
    ].join('\n'),
    `Perplexity is over ${formatCount(evaluation.scoredTokens)} tokens: every token but the first of each text, cut at ${calibration.maxLength}.`,
  ]
}
