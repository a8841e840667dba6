import { posix } from 'node:path'
import { UsageError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import { quoteForShell } from '../../base/quote-for-shell.js'
import type { HubOptions } from '../../files/hub/hub.js'
import { type DatasetFile, detectKind, KNOWN_KINDS } from './kind.js'

const SCHEME = /^([a-z][a-z0-9+.-]+):\/\//i

/** What to do about an address of another kind than http and https. */
const HINTS: Record<string, (address: string) => string> = {
  s3: (address) =>
    `sign its address: ${nameOption('dataset')} "$(aws s3 presign ${quoteForShell(address)})"; or copy it: aws s3 cp ${quoteForShell(address)} .`,
  gs: (address) => `copy it: gcloud storage cp ${quoteForShell(address)} .`,
  hf: (address) => `give the id of the dataset: ${address.replace(/^hf:\/\/(datasets\/)?/i, '')}`,
  file: (address) => `give its path: ${address.replace(/^file:\/\//i, '')}`,
}

/** Whether the name of a dataset file is an address of any kind, such as https:// or s3://. */
export function isAddress(name: string): boolean {
  return SCHEME.test(name)
}

/** A dataset file's name for messages and results: of an address without password and query, which may be secret. */
export function publicNameOf(name: string): string {
  if (!isAddress(name) || !URL.canParse(name)) return name
  const { protocol, host, pathname } = new URL(name)
  return `${protocol}//${host}${pathname}`
}

/**
 * Opens a file at a web address. It is streamed, and only the text column of a Parquet file is fetched.
 * @throws UsageError if the address is not one of http or https, or does not say of which kind the file is
 */
export async function openWebFile(address: string, options: HubOptions): Promise<DatasetFile> {
  const scheme = SCHEME.exec(address)![1]!.toLowerCase()
  const name = publicNameOf(address)
  if (!/^https?$/.test(scheme) || !URL.canParse(address)) {
    throw new UsageError(`${name} cannot be read: expected a path, an https:// address or an id on the Hub`, {
      hint: HINTS[scheme]?.(name) ?? 'copy the file to this machine and give its path',
    })
  }
  const kind = detectKind(posix.basename(new URL(address).pathname))
  if (kind === undefined) {
    throw new UsageError(`${name} is of an unknown kind: expected an address that ends in ${KNOWN_KINDS}`)
  }
  const [{ openHub }, { openRemoteSource }] = await Promise.all([
    import('../../files/hub/hub.js'),
    import('../../files/hub/remote-file.js'),
  ])
  const file = { url: address, what: name, sizeBytes: null, repo: null }
  return { kind, source: openRemoteSource(openHub(options), file) }
}
