import { formatList, formatQuantity } from '../../base/format-numbers.js'
import { nameLayers } from '../../model/layers/names.js'
import { findBestBlock } from '../documents/result-views.js'
import type { ReportedResult } from '../documents/verification.js'
import type { ModelStory } from './model-story.js'
import { escapeXml } from './svg.js'

/** A line for each number of layers for which texts disagree on the nearest block, at the same metric and tokens. */
export function renderTextDifferences({ results }: Pick<ModelStory, 'results'>): string {
  const documents = results.map(({ document }) => document)
  const lines = [...new Set(documents.map(nameMeasure))].flatMap((measure) => {
    const group = documents.filter((result) => nameMeasure(result) === measure)
    const sizes = [...new Set(group.flatMap(listSizes))].sort((a, b) => a - b)
    return sizes.flatMap((size) => describeDifference(group, size))
  })
  return lines.map((line) => `<p class="note">${escapeXml(line)}</p>`).join('\n')
}

function nameMeasure({ metric, tokens }: ReportedResult): string {
  return `${metric} ${tokens}`
}

/** Sizes that a result was asked for: one, or all up to half of the layers. */
function listSizes({ bestBlocks, layersToSkip, model }: ReportedResult): number[] {
  if (bestBlocks === undefined) return [layersToSkip]
  return Array.from({ length: Math.max(1, Math.floor(model.layers / 2)) }, (_, index) => index + 1)
}

function describeDifference(results: ReportedResult[], size: number): string[] {
  const blockOf = ({ distances }: ReportedResult) => nameLayers(findBestBlock(distances, size))
  const blocks = [...new Set(results.map(blockOf))]
  if (blocks.length < 2 || new Set(results.map(({ dataset }) => dataset.fingerprint)).size < 2) return []
  const found = blocks.map((block) => {
    const texts = results
      .filter((result) => blockOf(result) === block)
      .map(({ dataset }) => `${dataset.id} (${formatQuantity(dataset.samples, 'text')})`)
    return `${block} on ${formatList([...new Set(texts)])}`
  })
  return [`The nearest block of ${formatQuantity(size, 'layer')} depends on the texts: ${found.join('; ')}.`]
}
