import { formatList } from '../format-numbers.js'
import type { SimilarityResult } from '../similarity/result.js'
import { wantsColor } from '../terminal/color.js'
import { printNote, printResult, widthOf } from '../terminal/output.js'
import { formatSummary } from '../terminal/summary.js'

/** Prints a result, as a report or as JSON, and says which files it was written to. */
export async function showResult(
  result: SimilarityResult,
  { json, output }: { json?: boolean; output: string },
  files: string[],
): Promise<void> {
  await printResult(
    json
      ? JSON.stringify(result, null, 2)
      : formatSummary(result, { width: widthOf(process.stdout), color: wantsColor(process.stdout) }),
  )
  printNote(`wrote ${formatList(files)} to ${output}`)
}
