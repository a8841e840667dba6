import { Command, Option } from 'commander'
import { METRICS } from '../../results/documents/metrics.js'
import { wholeNumber } from './arguments.js'
import type { PlotFlags } from './run/plot.js'

export function makePlotCommand(): Command {
  return new Command('plot')
    .description('Draw a saved result as an SVG or PNG file.')
    .requiredOption(
      '--from <file>',
      'similarity.json, or with --kind perplexity or accuracy the output of evaluate --json',
    )
    .requiredOption('-o, --output <file>', 'file to draw to; its name ends in .svg or .png')
    .addOption(
      new Option(
        '--kind <kind>',
        'curve: distance by first layer; heatmap: blocks of every size, the best of each size marked; perplexity: of the cuts in an evaluation; accuracy: on the tasks in one',
      )
        .choices(['curve', 'heatmap', 'perplexity', 'accuracy'])
        .default('curve'),
    )
    .addOption(
      new Option(
        '--scale <which>',
        'with --kind heatmap: a colour scale for each row, as in the paper, or one for all rows (default: row)',
      ).choices(['row', 'absolute']),
    )
    .addOption(
      new Option(
        '--metric <name>',
        'with --kind curve or heatmap: a metric that the run measured (default: the first)',
      ).choices(METRICS),
    )
    .option('--layers-to-skip <n>', 'size of the block (default: that of the saved run)', wholeNumber(1))
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText(
      'after',
      `
An SVG follows the light or dark colour scheme of the viewer; a PNG is always light.

Examples:
  layerprune plot --from layerprune-output/similarity.json -o distances.png
  layerprune plot --from layerprune-output/similarity.json -o distances-4.svg --layers-to-skip 4
  layerprune plot --from layerprune-output/similarity.json -o heatmap.png --kind heatmap
  layerprune plot --from layerprune-output/similarity.json -o cosine.png --metric cosine
  layerprune plot --from evaluation.json -o perplexity.png --kind perplexity
  layerprune plot --from tasks.json -o accuracy.png --kind accuracy`,
    )
    .action(async (flags: PlotFlags) => (await import('./run/plot.js')).run(flags))
}
