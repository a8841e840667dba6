import { join } from 'node:path'
import { formatList } from '../../../base/format-numbers.js'
import type { CarriedOptions } from '../../../results/next-command.js'
import { type CheckAdvice, formatCheckAdvice } from '../../terminal/check-advice.js'
import { formatCutOfResult, formatSweepAdvice } from '../../terminal/next-command.js'
import { printDocument, printNote } from '../../terminal/output.js'
import { formatSummary } from '../../terminal/summary.js'
import { formatVerifiedSummary } from '../../terminal/verification.js'
import type { VerifiedResult } from './result-files.js'

/**
 * Prints a result, as a report or as JSON, the files it was written to, and how its blocks could be checked.
 * @param options  of the run, which the next commands take over
 */
export async function showResult(
  result: VerifiedResult,
  { heatmap, output, ...flags }: { json?: boolean; heatmap?: boolean; output: string },
  files: string[],
  { options, advice }: { options: CarriedOptions; advice?: CheckAdvice | undefined },
): Promise<void> {
  const map = heatmap ? await import('../../terminal/heatmap.js') : undefined
  await printDocument(result, flags, (shown, window) =>
    [
      formatSummary(shown, { ...window, drawMap: map?.drawBlockMap }),
      ...(shown.verification ? [formatVerifiedSummary(shown, shown.verification, window)] : []),
      ...(shown.partial || shown.shard
        ? []
        : shown.bestBlocks
          ? [formatSweepAdvice(shown, options)]
          : [
              ...(shown.verification ? [] : [formatCheckAdvice(advice)]),
              formatCutOfResult(shown, options, join(output, 'similarity.json')),
            ]),
    ].join('\n\n'),
  )
  if (result.bestBlocks && !result.shard) {
    printNote('slice.yaml describes one block: give --layers-to-skip, here or to slice-config --from')
  }
  printNote(`wrote ${formatList(files)} to ${output}`)
}
