import { readFile } from 'node:fs/promises'
import { describeMetric, listMetrics } from '../documents/metrics.js'
import type { SavedDocuments } from '../documents/read-saved.js'
import type { ReportedResult } from '../documents/verification.js'
import { formatQuantity } from '../format-numbers.js'
import { VERSION } from '../version.js'
import type { FindProblem } from './cut-problem.js'
import { renderComparison } from './page-comparison.js'
import { renderEvaluation, renderPlan } from './page-documents.js'
import { renderResult } from './page-result.js'
import { renderSweep } from './page-sweep.js'
import { escapeXml } from './svg.js'

/**
 * One HTML page of saved results, sweeps, evaluations and plans that needs nothing but itself: which layers to remove,
 * how sure that is, the heat map, a curve for every size, the slices to copy, tables and settings.
 * @param findProblem of the slices, which say so if mergekit would not make them
 */
export async function renderPage(
  { results, evaluations, plans, sweeps = [] }: SavedDocuments,
  findProblem: FindProblem,
): Promise<string> {
  const [style, script] = await Promise.all([readAsset('report.css'), readAsset('report.js')])
  const models = new Set([...results, ...sweeps, ...evaluations, ...plans].map(({ model }) => model.id))
  const [model] = models
  const title = models.size === 1 ? `Which layers can be removed: ${model}` : 'Which layers can be removed'
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
<main>
${[
  ...(results.length > 1 ? [renderComparison(results)] : []),
  ...results.map((result, index) => renderResult(result, index, findProblem)),
  ...sweeps.map(renderSweep),
  ...evaluations.map(renderEvaluation),
  ...plans.map((plan, index) => renderPlan(plan, index, findProblem)),
].join('\n')}
</main>
<footer>layerprune ${VERSION}: ${describeContents({ results, evaluations, plans, sweeps })}. Layers are counted from 0;
${describeMetrics(results)}.</footer>
<script>
${script}</script>
</body>
</html>
`
}

function describeMetrics(results: ReportedResult[]): string {
  const metrics = new Set(results.flatMap((result) => listMetrics(result)))
  return [...(metrics.size === 0 ? (['angular'] as const) : metrics)]
    .map(describeMetric)
    .map(({ title, definition }) => `${title} is ${definition}`)
    .join('; ')
}

function describeContents({ results, evaluations, plans, sweeps = [] }: SavedDocuments): string {
  return [
    ...(results.length > 0 ? [formatQuantity(results.length, 'similarity result')] : []),
    ...(sweeps.length > 0 ? [formatQuantity(sweeps.length, 'sweep')] : []),
    ...(evaluations.length > 0 ? [formatQuantity(evaluations.length, 'evaluation')] : []),
    ...(plans.length > 0 ? [formatQuantity(plans.length, 'plan')] : []),
  ].join(', ')
}

function readAsset(name: string): Promise<string> {
  return readFile(new URL(`../../assets/${name}`, import.meta.url), 'utf8')
}
