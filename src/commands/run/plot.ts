import { readEvaluation, readSimilarityResult } from '../../documents/read-saved.js'
import { resizeResult, selectMetric } from '../../documents/result-views.js'
import { UsageError } from '../../errors.js'
import { drawPerplexities } from '../../report/perplexity-svg.js'
import { assertPlotFile, convertPlot, drawPlot } from '../../report/plot.js'
import { writeFileAtomically } from '../../write-files.js'
import type { PlotFlags } from '../plot.js'
import { checkOutputFile } from './output-file.js'

export async function run({ from, output, kind, scale, metric, layersToSkip }: PlotFlags): Promise<void> {
  if (scale !== undefined && kind !== 'heatmap') throw new UsageError('--scale goes with --kind heatmap')
  assertPlotFile(output)
  await checkOutputFile(output, [from])
  if (kind === 'perplexity') {
    const [flag] = Object.entries({ '--layers-to-skip': layersToSkip, '--metric': metric })
      .filter(([, value]) => value !== undefined)
      .map(([name]) => name)
    if (flag !== undefined) throw new UsageError(`${flag} does not go with --kind perplexity`)
    const plot = await convertPlot(drawPerplexities(await readEvaluation(from)), output)
    return writeFileAtomically(output, plot)
  }
  const saved = await readSimilarityResult(from)
  const result = resizeResult(selectMetric(saved, metric ?? saved.metric), layersToSkip ?? saved.layersToSkip)
  await writeFileAtomically(output, await drawPlot(result, output, { kind, scale }))
}
