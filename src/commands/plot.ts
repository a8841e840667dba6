import { Command, Option } from 'commander'
import { METRICS, type Metric } from '../documents/metrics.js'
import type { HeatScale } from '../report/heatmap-svg.js'
import type { PlotKind } from '../report/plot.js'
import { wholeNumber } from './arguments.js'
import { checkOutputFile } from './output-file.js'

interface Flags {
  from: string
  output: string
  kind: PlotKind | 'perplexity'
  scale?: HeatScale
  metric?: Metric
  layersToSkip?: number
}

export function makePlotCommand(): Command {
  return new Command('plot')
    .description('Draw a saved result as an SVG or PNG file.')
    .requiredOption('--from <file>', 'similarity.json, or for --kind perplexity what evaluate --json printed')
    .requiredOption('-o, --output <file>', 'the picture: a name that ends in .svg or .png')
    .addOption(
      new Option(
        '--kind <kind>',
        'curve: distance by first layer; heatmap: every block of every size, the best of each marked; perplexity: of the cuts of an evaluation',
      )
        .choices(['curve', 'heatmap', 'perplexity'])
        .default('curve'),
    )
    .addOption(
      new Option(
        '--scale <which>',
        'with --kind heatmap: colours of each row on their own, as in the paper, or of all (default: row)',
      ).choices(['row', 'absolute']),
    )
    .addOption(
      new Option(
        '--metric <name>',
        'with --kind curve or heatmap: a metric that the run measured (default: the first)',
      ).choices(METRICS),
    )
    .option('--layers-to-skip <n>', 'size of the block (default: that of the saved run)', wholeNumber(1))
    .addHelpText(
      'after',
      `
An SVG follows the light or dark scheme of whoever looks at it; a PNG is light.

Examples:
  layerprune plot --from layerprune-output/similarity.json -o distances.png
  layerprune plot --from layerprune-output/similarity.json -o distances-4.svg --layers-to-skip 4
  layerprune plot --from layerprune-output/similarity.json -o heatmap.png --kind heatmap
  layerprune plot --from layerprune-output/similarity.json -o cosine.png --metric cosine
  layerprune plot --from evaluation.json -o perplexity.png --kind perplexity`,
    )
    .action(runPlot)
}

async function runPlot({ from, output, kind, scale, metric, layersToSkip }: Flags): Promise<void> {
  const [
    { drawPlot, assertPlotFile, convertPlot },
    { readSimilarityResult, readEvaluation },
    { drawPerplexities },
    { resizeResult, selectMetric },
    { writeFileAtomically },
    { UsageError },
  ] = await Promise.all([
    import('../report/plot.js'),
    import('../documents/read-saved.js'),
    import('../report/perplexity-svg.js'),
    import('../documents/result-views.js'),
    import('../write-files.js'),
    import('../errors.js'),
  ])
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
