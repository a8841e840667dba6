import { formatList } from '../format-numbers.js'
import { wantsColor } from '../terminal/color.js'
import { drawBlockMap } from '../terminal/heatmap.js'
import { printNote, printResult, widthOf } from '../terminal/output.js'
import { formatSummary } from '../terminal/summary.js'
import { formatVerifiedSummary } from '../terminal/verification.js'
import type { VerifiedResult } from './result-files.js'

/** Prints a result, as a report or as JSON, and says which files it was written to. */
export async function showResult(
  result: VerifiedResult,
  { json, heatmap, output }: { json?: boolean; heatmap?: boolean; output: string },
  files: string[],
): Promise<void> {
  const window = { width: widthOf(process.stdout), color: wantsColor(process.stdout) }
  const report = () =>
    [
      ...(heatmap ? [drawBlockMap(result, window)] : []),
      formatSummary(result, window),
      ...(result.verification ? [formatVerifiedSummary(result, result.verification, window)] : []),
    ].join('\n\n')
  await printResult(json ? JSON.stringify(result, null, 2) : report())
  printNote(`wrote ${formatList(files)} to ${output}`)
}
