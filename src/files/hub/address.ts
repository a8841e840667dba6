import { UsageError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import { isRepoId } from './repo.js'
import { readHubSettings } from './settings.js'

/** A repository as the address of one of its pages names it. */
export interface RepoAddress {
  id: string
  revision?: string
  /** Configuration and split, from the address of a dataset's viewer. */
  config?: string
  split?: string
}

const PAGES = ['tree', 'viewer', 'blob', 'resolve']
/** Parts of the Hub that hold neither models nor datasets. */
const SECTIONS = ['spaces', 'models', 'docs', 'blog', 'papers', 'collections']
/** Other names of the Hub's own host. */
const HOSTS = ['huggingface.co', 'www.huggingface.co', 'hf.co']

/**
 * Reads the address of a page of the Hub: of a model or a dataset, of a revision of it, or of a split in the viewer.
 * @returns undefined if the text is no web address of the Hub
 * @throws UsageError if the page is another one, such as that of a file
 */
export function parseRepoAddress(text: string, type: 'model' | 'dataset'): RepoAddress | undefined {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return undefined
  const { host, pathname } = new URL(text)
  const endpoint = new URL(readHubSettings().endpoint)
  const isEndpoint = host === endpoint.host && pathname.startsWith(endpoint.pathname)
  if (!isEndpoint && !HOSTS.includes(host)) return undefined
  const below = isEndpoint ? pathname.slice(endpoint.pathname.length) : pathname
  const parts = below.split('/').filter(Boolean).map(decodePart)
  const isDataset = parts[0] === 'datasets'
  if (isDataset !== (type === 'dataset')) {
    throw new UsageError(
      `${text} is the page of ${isDataset ? 'a dataset, expected a model' : 'a model, expected a dataset'}`,
    )
  }
  const { id, page, rest } = splitName(isDataset ? parts.slice(1) : parts)
  if (!isRepoId(id) || SECTIONS.includes(parts[0]!)) {
    throw new UsageError(`${text} names no ${type}`, {
      hint: 'give the address of its page, or its id, as in org/name',
    })
  }
  if (page === undefined || (page === 'tree' && rest.length === 0)) return { id }
  if (page === 'tree' && rest.length === 1) return { id, revision: rest[0]! }
  if (page === 'viewer' && isDataset) return { id, ...readViewer(rest) }
  throw new UsageError(`${text} is not the page of a ${type} but one below it`, {
    hint: hintFor(type, id, page),
  })
}

function splitName(parts: string[]): { id: string; page: string | undefined; rest: string[] } {
  // the first repositories have no owner
  const nameParts = parts.length < 2 || PAGES.includes(parts[1]!) ? 1 : 2
  const [page, ...rest] = parts.slice(nameParts)
  return { id: parts.slice(0, nameParts).join('/'), page, rest }
}

function readViewer([config, split]: string[]): Pick<RepoAddress, 'config' | 'split'> {
  return { ...(config !== undefined && { config }), ...(split !== undefined && { split }) }
}

function hintFor(type: 'model' | 'dataset', id: string, page: string): string {
  if (page !== 'blob' && page !== 'resolve') return `give ${id}`
  return type === 'model'
    ? `give ${id}, and the file with ${nameOption('modelFile')}`
    : `give ${id}, or download the file and give its path`
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** An option that an address may state too; throws UsageError if both are given and differ. */
export function agree(name: string, stated: string | undefined, given: string | undefined): string | undefined {
  if (stated === undefined || given === undefined || stated === given) return given ?? stated
  throw new UsageError(`${name} ${given} was given, and the address names ${stated}`)
}
