import { readFile } from 'node:fs/promises'
import { formatQuantity } from '../../base/format-numbers.js'
import { packageFile } from '../../base/package-file.js'
import { VERSION } from '../../base/version.js'
import { describeMetric, listMetrics } from '../documents/metrics.js'
import type { SavedDocuments } from '../documents/read-saved.js'
import type { ReportedResult } from '../documents/verification.js'
import { type ModelStory, plainName, tellStories } from './model-story.js'
import { renderComparison } from './page-comparison.js'
import { renderCuts } from './page-cuts.js'
import { renderEvaluation, renderPlan } from './page-documents.js'
import { renderPruned } from './page-pruned.js'
import { renderResult } from './page-result.js'
import { renderSweep } from './page-sweep.js'
import { renderTasks } from './page-tasks.js'
import type { SliceFacts } from './slice-facts.js'
import { escapeXml } from './svg.js'
import { renderTextDifferences } from './text-differences.js'

/**
 * One HTML page of saved results, sweeps, evaluations and plans that needs nothing but itself: which layers to remove,
 * how sure that is, the heat map, a curve for every size, the slices to copy, tables and settings.
 * @param facts  that the slices state beside the layers
 * @param date  of the page
 */
export async function renderPage(documents: SavedDocuments, facts: SliceFacts, date = new Date()): Promise<string> {
  const { results } = documents
  const [style, script] = await Promise.all([readAsset('report.css'), readAsset('report.js')])
  const stories = tellStories(documents)
  const [story, another] = stories
  const title = `Which layers can be removed${story && !another ? `: ${story.name}` : ''}`
  const checksOf = ({ model }: ReportedResult) =>
    stories.find(({ name, layers }) => name === plainName(model.id) && layers === model.layers)!
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${escapeXml(title)}</title>
<style>
${style}</style>
</head>
<body>
<header class="top"><h1>Which layers can be removed</h1><p>layerprune ${VERSION} · ${date.toISOString().slice(0, 10)}</p></header>
<main>
${[
  ...(results.length > 1 ? [renderComparison(results, checksOf)] : []),
  ...stories.map((story, index) => renderModel(story, index, { facts, files: documents.files })),
].join('\n')}
</main>
<footer>layerprune ${VERSION}: ${describeContents(documents)}. Layers are counted from 0;
${describeMetrics(results)}.</footer>
<script>
${script}</script>
</body>
</html>
`
}

/** The part of a page about one model: results, costs and pruned models. */
function renderModel(
  story: ModelStory,
  index: number,
  { facts, files }: { facts: SliceFacts; files: SavedDocuments['files'] },
): string {
  const id = `model-${index + 1}`
  const family = story.family === undefined ? '' : `${escapeXml(story.family)}, `
  const parts = [
    ...story.results.map(({ document, number }) =>
      renderResult(document, number, { story, facts, file: files?.get(document) }),
    ),
    renderTextDifferences(story),
    renderCuts(story),
    ...story.sweeps.map(({ document, number }) => renderSweep(document, number - 1)),
    ...story.evaluations.map(({ document, number }) => renderEvaluation(document, number)),
    ...story.tasks.map(({ document, number }) => renderTasks(document, number)),
    ...story.plans.map(({ document, number }) => renderPlan(document, number, { facts, file: files?.get(document) })),
    ...story.prunes.map(({ document, number }) => renderPruned(document, number)),
  ]
  return `<article class="model" aria-labelledby="${id}">
<header class="of"><h2 id="${id}">${escapeXml(story.name)}</h2><p>${family}${story.layers} layers</p></header>
${parts.filter((part) => part !== '').join('\n')}
</article>`
}

function describeMetrics(results: ReportedResult[]): string {
  const metrics = new Set(results.flatMap((result) => listMetrics(result)))
  return [...(metrics.size === 0 ? (['angular'] as const) : metrics)]
    .map(describeMetric)
    .map(({ title, definition }) => `${title} is ${definition}`)
    .join('; ')
}

function describeContents({
  results,
  evaluations,
  plans,
  sweeps = [],
  tasks = [],
  prunes = [],
}: SavedDocuments): string {
  const counts: [documents: unknown[], noun: string, plural?: string][] = [
    [results, 'similarity result'],
    [sweeps, 'sweep'],
    [evaluations, 'evaluation'],
    [tasks, 'run of tasks', 'runs of tasks'],
    [plans, 'plan'],
    [prunes, 'pruned model'],
  ]
  return counts
    .filter(([documents]) => documents.length > 0)
    .map(([documents, noun, plural]) => formatQuantity(documents.length, noun, plural))
    .join(', ')
}

function readAsset(name: string): Promise<string> {
  return readFile(packageFile(`assets/${name}`), 'utf8')
}
