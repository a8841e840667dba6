import { Command } from 'commander'

export interface ReportFlags {
  output: string
}

export function makeReportCommand(): Command {
  return new Command('report')
    .description('Write one self-contained HTML page from saved results, sweeps, evaluations and plans.')
    .argument('<files...>', 'similarity.json, sweep.json, the output of evaluate --json, plan.json')
    .option('-o, --output <file>', 'the page, or - for standard output', 'report.html')
    .addHelpText(
      'after',
      `
Several results, of one model or of several, are compared side by side. The page loads nothing from the network.

Examples:
  layerprune report layerprune-output/similarity.json
  layerprune report wiki/similarity.json code/similarity.json evaluation.json -o report.html`,
    )
    .action(async (files: string[], flags: ReportFlags) =>
      (await import('./run/report.js')).run(files, flags),
    )
}
