import { formatDistance, formatPerplexity } from '../../base/format-numbers.js'
import type { Block } from '../../model/layers/block.js'
import { formatLayers } from '../../model/layers/names.js'
import { listShownTasks } from '../documents/task-measures.js'
import { isSameCut, type ModelStory } from './model-story.js'
import { renderStrip } from './page-parts.js'
import { escapeXml } from './svg.js'
import { findTaskFigures, formatTask, listTaskResults } from './task-figures.js'

/** A cut with the figures from all documents of its model. */
interface Cut {
  removed: Block[]
  /** How it was found: the nearest block, a strategy, ... */
  sources: Set<string>
  distance?: number
  /** From the first document that measured it; null if it is not finite. */
  perplexity?: number | null
  /** The whole model's perplexity over the same texts. */
  whole?: number
  kl?: number | null
}

const LOSS_NOTE =
  '<p class="note">The lowest loss is marked. Documents differ in their texts, so compare “× whole”: perplexity over that of the whole model on the same texts.</p>'

/** Every cut that any document of a model names, side by side; nothing unless one was measured. */
export function renderCuts(story: ModelStory): string {
  const cuts = gatherCuts(story)
  const tasks = [...new Set(listTaskResults(story).flatMap(({ tasks }) => listShownTasks(tasks)))]
  const hasLoss = cuts.some(({ perplexity }) => perplexity !== undefined)
  if (!hasLoss && tasks.length === 0) return ''
  const hasKl = cuts.some(({ kl }) => kl !== undefined)
  const hasDistance = cuts.some(({ distance }) => distance !== undefined)
  const titles = [
    ...['removed', ''],
    ...(hasDistance ? ['distance'] : []),
    ...(hasLoss ? ['perplexity', '× whole'] : []),
    ...(hasKl ? ['KL'] : []),
    ...tasks,
  ]
  const heads = titles.map(
    (title, i) => `<th scope="col"${i === 1 ? ' class="wide-cell"' : ''}>${escapeXml(title)}</th>`,
  )
  const lowest = Math.min(...cuts.map(ratioOf))
  const isBest = (cut: Cut) => cuts.length > 1 && lowest < Infinity && ratioOf(cut) === lowest
  const rows = cuts.map((cut) => {
    const figures = findTaskFigures(story, cut.removed)
    const cells = [
      `${cut.removed.map(formatLayers).join(', ')}<small>${escapeXml([...cut.sources].join(', '))}</small>`,
      renderStrip(story.layers, cut.removed),
      ...(hasDistance ? [cut.distance === undefined ? '' : formatDistance(cut.distance)] : []),
      ...(hasLoss ? formatLoss(cut) : []),
      ...(hasKl ? [cut.kl === undefined || cut.kl === null ? '' : formatDistance(cut.kl)] : []),
      ...tasks.map((name) => {
        const found = figures.get(name)
        return found ? formatTask(found) : ''
      }),
    ]
    return `<tr${isBest(cut) ? ' class="best"' : ''}>${cells.map((cell, i) => `<td${i === 1 ? ' class="wide-cell"' : ''}>${cell}</td>`).join('')}</tr>`
  })
  return `<section class="cuts"><h3>All cuts side by side</h3>
<div class="scroll" tabindex="0" role="region" aria-label="Table of all cuts"><table><thead><tr>${heads.join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></div>${hasLoss ? `\n${LOSS_NOTE}` : ''}
</section>`
}

function ratioOf({ perplexity, whole }: Cut): number {
  return perplexity === undefined || perplexity === null ? Infinity : perplexity / whole!
}

function formatLoss({ perplexity, whole }: Cut): [perplexity: string, ratio: string] {
  if (perplexity === undefined) return ['', '']
  if (perplexity === null) return ['not finite', '']
  return [formatPerplexity(perplexity), formatPerplexity(perplexity / whole!)]
}

/** Cuts by the least loss, those that were not measured last. */
function gatherCuts(story: ModelStory): Cut[] {
  const cuts: Cut[] = []
  const add = (removed: Block[], source: string | null, found: Omit<Cut, 'removed' | 'sources'> = {}) => {
    let cut = cuts.find((known) => isSameCut(known.removed, removed))
    if (cut === undefined) {
      cut = { removed, sources: new Set() }
      cuts.push(cut)
    }
    if (source !== null) cut.sources.add(source)
    cut.distance ??= found.distance
    cut.kl ??= found.kl
    if (cut.perplexity === undefined && found.perplexity !== undefined) {
      cut.perplexity = found.perplexity
      cut.whole = found.whole
    }
  }
  // evaluations come first: they have more texts than a verification
  for (const { document } of story.evaluations) {
    for (const cut of document.candidates) {
      const { removed, perplexity } = cut
      add(removed, null, {
        perplexity,
        whole: document.perplexity,
        kl: perplexity === null ? undefined : cut.kl,
      })
    }
  }
  for (const { document } of story.tasks) for (const { removed } of document.candidates) add(removed, null)
  for (const { document } of story.results) {
    const { best, verification } = document
    add([{ start: best.start, end: best.end }], 'nearest', { distance: best.distance })
    for (const { start, end, distance, perplexity } of verification?.blocks ?? []) {
      const isChosen = start === verification!.recommended.start
      add([{ start, end }], isChosen ? 'recommended' : null, {
        ...{ distance, perplexity, whole: verification!.perplexity },
      })
    }
  }
  for (const { document } of story.sweeps) {
    const { recommended, candidates, whole } = document
    const chosen = candidates.find(({ removed }) => isSameCut(removed, recommended?.removed ?? []))
    if (chosen) add(chosen.removed, 'sweep', { perplexity: chosen.perplexity, whole: whole.perplexity })
  }
  for (const { document } of story.plans) add(document.removed, document.strategy)
  for (const { document } of story.prunes) add(document.plan.removed, 'pruned')
  for (const cut of cuts) cut.distance ??= findDistance(story, cut.removed)
  return cuts.sort((a, b) => (ratioOf(a) === ratioOf(b) ? 0 : ratioOf(a) - ratioOf(b)))
}

/** The distance of a cut that is one block, by any result of the model. */
function findDistance({ results }: ModelStory, removed: Block[]): number | undefined {
  const [block, another] = removed
  if (block === undefined || another !== undefined) return undefined
  return results[0]?.document.distances[block.end - block.start]?.[block.start]
}
