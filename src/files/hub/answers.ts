import { inspect } from 'node:util'
import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'

/** A file or folder of a repository. */
export interface TreeEntry {
  /** From the top of the repository, parts joined by `/`. */
  path: string
  isFolder: boolean
  sizeBytes: number
  /** Name of its content: the SHA-256 of a large file, git's own hash of a small one. */
  hash: string
}

/** Addresses of Parquet files by configuration and split. */
export type ParquetExport = Map<string, Map<string, string[]>>

const MAX_PATH_LENGTH = 1024

export function isCommit(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{40}$/.test(value)
}

/** A value from elsewhere, cut to what fits into a message. */
export function describe(value: unknown): string {
  const text = inspect(value, { depth: 2, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 5 })
  return text.length > 200 ? `${text.slice(0, 200)}...` : text
}

/**
 * The address that an answer leads to, without a name or password.
 * @param from  where the answer came from; relative addresses are resolved against it
 * @throws LayerpruneError unless it is a web address, and an encrypted one if `from` is
 */
export function resolveAddress(text: string, from: string): string {
  const { host, protocol } = new URL(from)
  const fail = (found: string): never => {
    throw new LayerpruneError(`${host} leads to ${found}, expected ${protocol}//`, {
      hint: 'a proxy or mirror may be at fault: check HTTPS_PROXY and HF_ENDPOINT',
    })
  }
  if (!URL.canParse(text, from)) return fail(`${describe(text)}, which is not an address`)
  const url = new URL(text, from)
  const isWeb = url.protocol === 'https:' || (url.protocol === 'http:' && protocol === 'http:')
  if (!isWeb) return fail(`an address with ${url.protocol}`)
  url.username = ''
  url.password = ''
  return url.href
}

/** @throws LayerpruneError unless it is a tree entry as the Hub describes it */
export function parseTreeEntry(value: unknown, what: string): TreeEntry {
  const entry = isObject(value) ? value : {}
  const large = isObject(entry.lfs) ? entry.lfs : {}
  const { path, type } = entry
  const sizeBytes = large.size ?? entry.size ?? 0
  const hash = large.oid ?? entry.oid
  if (
    typeof path !== 'string' ||
    path.length > MAX_PATH_LENGTH ||
    typeof sizeBytes !== 'number' ||
    !Number.isSafeInteger(sizeBytes) ||
    sizeBytes < 0 ||
    typeof hash !== 'string' ||
    !/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(hash)
  ) {
    throw new LayerpruneError(`${what}: expected path, size and hash of a file, found ${describe(value)}`)
  }
  return { path, isFolder: type === 'directory', sizeBytes, hash }
}

/** @returns undefined unless it has the form that the Hub describes */
export function parseParquetExport(value: unknown): ParquetExport | undefined {
  if (!isObject(value)) return undefined
  const configs: ParquetExport = new Map()
  for (const [config, splits] of Object.entries(value)) {
    if (!isObject(splits)) return undefined
    const files = new Map<string, string[]>()
    for (const [split, urls] of Object.entries(splits)) {
      if (!Array.isArray(urls) || !urls.every(isDecodableAddress)) return undefined
      if (urls.length > 0) files.set(split, urls)
    }
    configs.set(config, files)
  }
  return configs
}

function isDecodableAddress(value: unknown): value is string {
  if (typeof value !== 'string' || !URL.canParse(value)) return false
  try {
    decodeURIComponent(new URL(value).pathname)
    return true
  } catch {
    // a broken %-escape
    return false
  }
}
