import { Command } from 'commander'
import type { ReportFlags } from './run/report.js'

export function makeReportCommand(): Command {
  return new Command('report')
    .description('Write one self-contained HTML page from all that was saved of a model, or of several.')
    .argument(
      '<files...>',
      'similarity.json, sweep.json, plan.json, what evaluate and prune print with --json, and folders that prune wrote',
    )
    .option('-o, --output <file>', 'the page, or - for standard output', 'report.html')
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText(
      'after',
      `
Files of the same model become one story: its results, sweeps, evaluations, plans and pruned models, with all cuts side
by side. Results of several models are compared. The page loads nothing from the network.

Examples:
  layerprune report layerprune-output/similarity.json
  layerprune report layerprune-output/similarity.json evaluation.json pruned.json
  layerprune report wiki/similarity.json code/similarity.json -o report.html`,
    )
    .action(async (files: string[], flags: ReportFlags) => (await import('./run/report.js')).run(files, flags))
}
