import { LimitedProcess } from '../../base/limited-process.js'
import { isOnlyOnHub } from '../../files/hub/only-on-hub.js'
import { addMetadata, type CardMetadata } from './edit-front-matter.js'

export interface EditRequest {
  base: string
  metadata: CardMetadata
  measured: string[]
}

/** A stranger's YAML can end the process that parses it. */
const editor = new LimitedProcess<EditRequest, string | undefined>('jobs/write-model/front-matter-worker.js')

/**
 * The front matter of a base's card with what has become of it; other keys and comments are kept, such as the licence
 * and the languages. A front matter that is no YAML mapping, or has aliases that lead nowhere, is kept as it is.
 * @see https://huggingface.co/docs/hub/model-cards
 */
export async function formatFrontMatter(base: string, metadata: CardMetadata): Promise<string> {
  const datasets = await chooseOnHub(metadata.datasets)
  const measured = await chooseOnHub(metadata.results.map(({ dataset }) => dataset))
  const request = { base, metadata: { ...metadata, datasets }, measured }
  const edited =
    base === ''
      ? addMetadata(base, request.metadata, measured)
      : await editor.ask(request, { what: "the model's README.md has a front matter that cannot be read" })
  return `---\n${edited ?? base}---\n\n`
}

/** Ids of the datasets on the Hub, without repeats; local file names mean nothing to readers. */
async function chooseOnHub(names: string[]): Promise<string[]> {
  const found: string[] = []
  for (const name of new Set(names)) if (await isOnlyOnHub(name)) found.push(name)
  return found
}
