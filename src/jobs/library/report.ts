import { readSavedDocuments } from '../../results/documents/read-saved.js'
import { renderPage } from '../../results/report/page.js'
import { prepareSliceFacts } from './mergekit-problem.js'

/**
 * Makes one self-contained HTML page of saved results, as the command report does.
 * @param files  what similarity, plan, sweep, evaluate and prune wrote
 * @throws LayerpruneError if a file cannot be read or is none of these
 */
export async function makeReport(files: string[]): Promise<string> {
  const documents = await readSavedDocuments(files)
  const models = [...documents.results, ...documents.plans].map(({ model }) => model)
  return renderPage(documents, await prepareSliceFacts(models))
}
