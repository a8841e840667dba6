import { writeFileAtomically } from '../../../base/write-files.js'
import { makeReport } from '../../../jobs/library/report.js'
import { printNote, printResult } from '../../terminal/output.js'
import { prepareOutputFile } from './output-file.js'

export interface ReportFlags {
  output: string
}

export async function run(files: string[], { output }: ReportFlags): Promise<void> {
  if (output !== '-') await prepareOutputFile(output, files)
  const page = await makeReport(files)
  if (output === '-') return printResult(page)
  await writeFileAtomically(output, page)
  printNote(`wrote ${output}`)
}
