import { formatQuantity, formatSize } from '../format-numbers.js'
import { describeLayers } from '../layers/names.js'
import type { PruneResult } from '../prune/prune.js'

/**
 * What was pruned, as a person reads it: the layers removed, the files with their sizes, and their folder.
 * @param output  the folder as the user named it
 */
export function formatPruned(
  { plan, layers, files, sizeBytes, dryRun }: PruneResult,
  output: string,
): string {
  const sizes = files.map((file) => formatSize(file.sizeBytes))
  const nameWidth = Math.max(...files.map(({ name }) => name.length))
  const sizeWidth = Math.max(...sizes.map((size) => size.length))
  const lines = files.map(
    ({ name }, index) => `  ${name.padEnd(nameWidth)}  ${sizes[index]!.padStart(sizeWidth)}`,
  )
  const written = `${formatQuantity(files.length, 'file')}, ${formatSize(sizeBytes)}`
  return [
    `${plan.model.id} without ${describeLayers(plan.model.layers, plan.removed)}: ${formatQuantity(layers, 'layer')}`,
    ...lines,
    dryRun ? `Would write ${written} to ${output}.` : `Wrote ${written} to ${output}.`,
  ].join('\n')
}
