import { readSavedDocuments } from '../../documents/read-saved.js'
import { renderPage } from '../../report/page.js'
import { printNote, printResult } from '../../terminal/output.js'
import { writeFileAtomically } from '../../write-files.js'
import type { ReportFlags } from '../report.js'
import { prepareMergekitProblems } from './mergekit-problem.js'
import { checkOutputFile } from './output-file.js'

export async function run(files: string[], { output }: ReportFlags): Promise<void> {
  if (output !== '-') await checkOutputFile(output, files)
  const documents = await readSavedDocuments(files)
  const models = [...documents.results, ...documents.plans].map(({ model }) => model)
  const page = await renderPage(documents, await prepareMergekitProblems(models))
  if (output === '-') return printResult(page)
  await writeFileAtomically(output, page)
  printNote(`wrote ${output}`)
}
