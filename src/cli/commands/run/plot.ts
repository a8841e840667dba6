import { LayerpruneError, UsageError } from '../../../base/errors.js'
import { writeFileAtomically } from '../../../base/write-files.js'
import type { Metric } from '../../../results/documents/metrics.js'
import { readEvaluation, readMeasuredTasks, readSimilarityResult } from '../../../results/documents/read-saved.js'
import { drawAccuracies } from '../../../results/report/accuracy-svg.js'
import type { HeatScale } from '../../../results/report/heatmap-svg.js'
import { drawPerplexities } from '../../../results/report/perplexity-svg.js'
import { assertPlotFile, convertPlot, drawPlot, type PlotKind } from '../../../results/report/plot.js'
import { printNote } from '../../terminal/output.js'
import { prepareOutputFile } from './output-file.js'

export interface PlotFlags {
  from: string
  output: string
  kind: PlotKind | 'perplexity' | 'accuracy'
  scale?: HeatScale
  metric?: Metric
  layersToSkip?: number
}

export async function run({ from, output, kind, scale, metric, layersToSkip }: PlotFlags): Promise<void> {
  if (scale !== undefined && kind !== 'heatmap') throw new UsageError('--scale requires --kind heatmap')
  assertPlotFile(output)
  await prepareOutputFile(output, [from])
  if (kind === 'perplexity' || kind === 'accuracy') {
    const [flag] = Object.entries({ '--layers-to-skip': layersToSkip, '--metric': metric })
      .filter(([, value]) => value !== undefined)
      .map(([name]) => name)
    if (flag !== undefined) throw new UsageError(`${flag} cannot be combined with --kind ${kind}`)
    const svg = kind === 'accuracy' ? await drawTasks(from) : drawPerplexities(await readEvaluation(from))
    return writePlot(output, await convertPlot(svg, output))
  }
  const result = await readSimilarityResult(from)
  await writePlot(output, await drawPlot(result, output, { kind, scale, metric, layersToSkip }))
}

async function writePlot(output: string, content: string | Uint8Array): Promise<void> {
  await writeFileAtomically(output, content)
  printNote(`wrote ${output}`)
}

/** @throws LayerpruneError if no task in the file has an accuracy */
async function drawTasks(path: string): Promise<string> {
  const svg = drawAccuracies(await readMeasuredTasks(path))
  if (svg !== null) return svg
  throw new LayerpruneError(`${path} has no task with an accuracy`)
}
