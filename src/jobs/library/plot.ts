import { UsageError } from '../../base/errors.js'
import type { EvaluationResult } from '../../results/documents/evaluation-result.js'
import type { Metric } from '../../results/documents/metrics.js'
import { SCHEMAS } from '../../results/documents/schemas.js'
import type { SimilarityResult } from '../../results/documents/similarity-result.js'
import type { SweepResult } from '../../results/documents/sweep-result.js'
import type { HeatScale } from '../../results/report/heatmap-svg.js'
import { drawPerplexities } from '../../results/report/perplexity-svg.js'
import { convertPlot, drawPlot, type PlotKind } from '../../results/report/plot.js'
import { drawSweep } from '../../results/report/sweep-svg.js'

export interface PlotOptions {
  /** The result to draw: distances, perplexities of candidates, or a sweep. */
  from: SimilarityResult | EvaluationResult | SweepResult
  /** Similarity results only: a curve of one block size, or a heat map of all; 'curve' if omitted. */
  kind?: PlotKind | undefined
  /** Heat maps only: one colour scale per row, or one for all; 'row' if omitted. */
  scale?: HeatScale | undefined
  /** Similarity results only; the metric that ranked the blocks if omitted. */
  metric?: Metric | undefined
  /** Similarity results only: the block size; that of the run if omitted. */
  layersToSkip?: number | undefined
  /** 'svg' if omitted, which is text. */
  format?: 'svg' | 'png' | undefined
}

/**
 * Draws a result, as the command plot does.
 * @returns the text of an SVG, or the bytes of a PNG
 * @throws UsageError if an option does not apply to the result
 */
export function plotResult({ from, format = 'svg', ...options }: PlotOptions): Promise<string | Uint8Array> {
  const file = `plot.${format}`
  if (isDistances(from)) return plotDistances(from, file, options)
  const [given] = Object.entries(options).filter(([, value]) => value !== undefined)
  if (given !== undefined) throw new UsageError(`${given[0]} applies to similarity results only, found ${from.schema}`)
  return convertPlot(isEvaluation(from) ? drawPerplexities(from) : drawSweep(from), file)
}

function plotDistances(
  result: SimilarityResult,
  file: string,
  { kind = 'curve', scale, metric, layersToSkip }: Omit<PlotOptions, 'from' | 'format'>,
): Promise<string | Uint8Array> {
  if (scale !== undefined && kind !== 'heatmap') throw new UsageError("scale requires kind: 'heatmap'")
  return drawPlot(result, file, { kind, scale, metric, layersToSkip })
}

function isDistances(from: PlotOptions['from']): from is SimilarityResult {
  return from.schema === SCHEMAS.similarity
}

function isEvaluation(from: PlotOptions['from']): from is EvaluationResult {
  return from.schema === SCHEMAS.evaluation
}
