import type { ModelStory } from './model-story.js'
import { renderCuts } from './page-cuts.js'
import { renderEvaluation, renderPlan } from './page-documents.js'
import { renderPruned } from './page-pruned.js'
import { renderResult } from './page-result.js'
import { renderSweep } from './page-sweep.js'
import { renderTasks } from './page-tasks.js'
import type { SliceFacts } from './slice-facts.js'
import { escapeXml } from './svg.js'
import { renderTextDifferences } from './text-differences.js'

/** The part of a page about one model: results, costs and pruned models. */
export function renderModel(story: ModelStory, index: number, facts: SliceFacts): string {
  const id = `model-${index + 1}`
  const family = story.family === undefined ? '' : `${escapeXml(story.family)}, `
  const parts = [
    ...story.results.map(({ document, number }) => renderResult(document, number, { story, facts })),
    renderTextDifferences(story),
    renderCuts(story),
    ...story.sweeps.map(({ document, number }) => renderSweep(document, number - 1)),
    ...story.evaluations.map(({ document, number }) => renderEvaluation(document, number)),
    ...story.tasks.map(({ document, number }) => renderTasks(document, number)),
    ...story.plans.map(({ document, number }) => renderPlan(document, number, facts)),
    ...story.prunes.map(({ document, number }) => renderPruned(document, number)),
  ]
  return `<article class="model" aria-labelledby="${id}">
<header class="of"><h2 id="${id}">${escapeXml(story.name)}</h2><p>${family}${story.layers} layers</p></header>
${parts.filter((part) => part !== '').join('\n')}
</article>`
}
