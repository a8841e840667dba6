import type { DatasetFile } from '../data/dataset.js'
import { LayerpruneError } from '../errors.js'
import { fetchJson, type Hub } from './hub.js'
import { openRemoteSource } from './remote-file.js'
import { apiOf, type Repo } from './repo.js'

/** Addresses of parquet files by configuration and split. */
export type ParquetExport = Map<string, Map<string, string[]>>

/** The export is a convenience: where it does not answer, the dataset's own files are read. */
const PATIENCE_MS = 10_000

/**
 * Asks for the parquet files that the Hub makes of a dataset's main branch.
 * @param config  asked for alone where it is named together with the split
 * @returns undefined where the Hub has made none of it, or of an older commit
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
  const request = { repo, what: `the parquet files of dataset ${repo.id}`, patienceMs: PATIENCE_MS }
  let answer: Awaited<ReturnType<typeof fetchJson>>
  try {
    answer = await fetchJson(hub, url, request)
  } catch (error) {
    if (error instanceof LayerpruneError) return undefined
    throw error
  }
  const { value, headers } = answer
  if ((headers['x-revision'] ?? commit) !== commit) return undefined
  return parseExport(only ? { [only.config]: { [only.split]: value } } : value)
}

/** @returns undefined where it is not made as the Hub describes it, or empty */
function parseExport(value: unknown): ParquetExport | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const configs: ParquetExport = new Map()
  for (const [config, splits] of Object.entries(value)) {
    const files = new Map<string, string[]>()
    for (const [split, urls] of Object.entries(splits ?? {})) {
      if (!Array.isArray(urls) || !urls.every((url) => typeof url === 'string' && URL.canParse(url)))
        return undefined
      if (urls.length > 0) files.set(split, urls)
    }
    configs.set(config, files)
  }
  return configs.size > 0 ? configs : undefined
}

/** The files of a split, in order; whatever host the list names, they are asked of the Hub. */
export function listExportFiles(hub: Hub, repo: Repo, urls: string[]): DatasetFile[] {
  return urls.map((listed) => {
    const { pathname } = new URL(listed)
    const url = new URL(pathname, hub.settings.endpoint).href
    const name = pathname.split('/').slice(-3).map(decodeURIComponent).join('/')
    return {
      kind: { format: 'parquet', packing: null },
      source: openRemoteSource(hub, { repo, what: `${repo.id}/${name}`, url, sizeBytes: null }),
    }
  })
}
