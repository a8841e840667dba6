import { Command } from 'commander'
import { checkOutputFile } from './output-file.js'

interface Flags {
  output: string
}

export function makeReportCommand(): Command {
  return new Command('report')
    .description('Write one self-contained HTML page from saved results, evaluations and plans.')
    .argument('<files...>', 'similarity.json, what evaluate --json printed, plan.json')
    .option('-o, --output <file>', 'the page, or - for standard output', 'report.html')
    .addHelpText(
      'after',
      `
Several results of one model or of many are set side by side. The page loads nothing from the network.

Examples:
  layerprune report layerprune-output/similarity.json
  layerprune report wiki/similarity.json code/similarity.json evaluation.json -o report.html`,
    )
    .action(runReport)
}

async function runReport(files: string[], { output }: Flags): Promise<void> {
  const [{ readSavedDocuments }, { renderPage }, { writeFileAtomically }, terminal] = await Promise.all([
    import('../documents/read-saved.js'),
    import('../report/page.js'),
    import('../write-files.js'),
    import('../terminal/output.js'),
  ])
  if (output !== '-') await checkOutputFile(output, files)
  const page = await renderPage(await readSavedDocuments(files))
  if (output === '-') return terminal.printResult(page)
  await writeFileAtomically(output, page)
  terminal.printNote(`wrote ${output}`)
}
