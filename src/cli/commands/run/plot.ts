import { LayerpruneError, UsageError } from '../../../base/errors.js'
import { writeFileAtomically } from '../../../base/write-files.js'
import type { Metric } from '../../../results/documents/metrics.js'
import { readDocument } from '../../../results/documents/read-document.js'
import { readEvaluation, readMeasuredTasks, readSimilarityResult } from '../../../results/documents/read-saved.js'
import { drawAccuracies } from '../../../results/report/accuracy-svg.js'
import type { HeatScale } from '../../../results/report/heatmap-svg.js'
import { drawPerplexities } from '../../../results/report/perplexity-svg.js'
import { assertPlotFile, convertPlot, drawPlot, type PlotKind } from '../../../results/report/plot.js'
import { printNote, setQuiet } from '../../terminal/output.js'
import { prepareOutputFile } from './output-file.js'

export interface PlotFlags {
  from: string
  output: string
  kind: PlotKind | 'perplexity' | 'accuracy'
  scale?: HeatScale
  metric?: Metric
  layersToSkip?: number
  quiet?: boolean
}

export async function run({
  from,
  output,
  kind,
  scale,
  metric,
  layersToSkip,
  quiet = false,
}: PlotFlags): Promise<void> {
  setQuiet(quiet)
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
  await assertMeasuresBlocks(from)
  const result = await readSimilarityResult(from)
  await writePlot(output, await drawPlot(result, output, { kind, scale, metric, layersToSkip }))
}

/** @throws LayerpruneError naming the --kind that draws what else the file holds */
async function assertMeasuresBlocks(from: string): Promise<void> {
  const { kind } = await readDocument(from)
  const hints: Partial<Record<typeof kind, string>> = {
    evaluation: 'draw its cuts with --kind perplexity',
    tasks: 'draw its accuracies with --kind accuracy',
    sweep: 'layerprune sweep drew it: sweep.svg is beside it, and layerprune report shows it',
  }
  const hint = hints[kind]
  if (hint === undefined) return
  throw new LayerpruneError(`${from} holds no distances of blocks, which --kind curve and heatmap draw`, { hint })
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
