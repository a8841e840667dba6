import { LayerpruneError } from '../../../base/errors.js'
import { type ParquetExport, parseParquetExport } from '../../../files/hub/answers.js'
import { fetchJson, type Hub } from '../../../files/hub/hub.js'
import { openRemoteSource } from '../../../files/hub/remote-file.js'
import { apiOf, type Repo } from '../../../files/hub/repo.js'
import type { Pin } from '../../../files/hub/same-content.js'
import type { DatasetFile } from '../kind.js'

/** The export is a convenience: if it does not answer in time, the dataset's own files are read. */
const DEADLINE_MS = 10_000

/**
 * Asks for the Parquet files that the Hub makes of a dataset's main branch.
 * @param config  requested alone if it is named together with the split
 * @returns undefined if the Hub has made none of it, or only of an older commit
 * @see https://huggingface.co/docs/dataset-viewer/parquet
 */
export async function findParquetExport(
  hub: Hub,
  repo: Repo,
  commit: string,
  only: { config: string; split: string } | undefined,
): Promise<ParquetExport | undefined> {
  const path = only ? `/${encodeURIComponent(only.config)}/${encodeURIComponent(only.split)}` : ''
  const url = `${apiOf(hub.settings.endpoint, repo)}/parquet${path}`
  const request = { repo, what: `the parquet files of dataset ${repo.id}`, deadlineMs: DEADLINE_MS }
  let answer: Awaited<ReturnType<typeof fetchJson>>
  try {
    answer = await fetchJson(hub, url, request)
  } catch (error) {
    if (error instanceof LayerpruneError) return undefined
    throw error
  }
  const { value, headers } = answer
  if ((headers['x-revision'] ?? commit) !== commit) return undefined
  const found = parseParquetExport(only ? { [only.config]: { [only.split]: value } } : value)
  if (!found) hub.onNote?.(`${request.what}: the Hub's list of them is malformed; reading the dataset's own files`)
  return found && found.size > 0 ? found : undefined
}

/** The files of a split, in order, all of one commit of the export; always requested from the Hub. */
export function listExportFiles(hub: Hub, repo: Repo, urls: string[]): DatasetFile[] {
  const pin: Pin = { commit: null }
  return urls.map((listed) => {
    const { pathname } = new URL(listed)
    const url = new URL(hub.settings.endpoint)
    url.pathname = pathname
    const name = pathname.split('/').slice(-3).map(decodeURIComponent).join('/')
    const file = { repo, what: `${repo.id}/${name}`, url: url.href, sizeBytes: null, pin }
    return { kind: { format: 'parquet', packing: null }, source: openRemoteSource(hub, file) }
  })
}
