import { writeFileAtomically } from '../../../base/write-files.js'
import { makeReport } from '../../../jobs/library/report.js'
import { printNote, printResult, setQuiet } from '../../terminal/output.js'
import { prepareOutputFile } from './output-file.js'

export interface ReportFlags {
  output: string
  quiet?: boolean
}

export async function run(files: string[], { output, quiet = false }: ReportFlags): Promise<void> {
  setQuiet(quiet)
  if (output !== '-') await prepareOutputFile(output, files)
  const page = await makeReport(files)
  if (output === '-') return printResult(page)
  await writeFileAtomically(output, page)
  printNote(`wrote ${output}`)
}
