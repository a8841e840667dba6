import { LayerpruneError } from '../../base/errors.js'
import type { HubResponse } from './http.js'

/** The commit that files must come from; the first answer that names one sets it if it is null. */
export interface Pin {
  commit: string | null
}

/** Where a file was found, so that later reads need not ask the Hub again, and which content it had. */
export interface Location {
  url: string | null
  /** What the server at `url` calls the content. */
  etag: string | null
  /** What the Hub calls it. */
  linkedEtag: string | null
}

export function startLocation(): Location {
  return { url: null, etag: null, linkedEtag: null }
}

/** @throws LayerpruneError if an answer comes from another commit than expected */
export function assertSameCommit(what: string, pin: Pin, { linked }: HubResponse): void {
  pin.commit ??= linked.commit
  if (linked.commit !== null && linked.commit !== pin.commit) {
    throw changedError(what, `commit ${pin.commit}`, linked.commit)
  }
}

/** @throws LayerpruneError if the same server had another name for the content before */
export function assertSameContent(what: string, location: Location, answer: HubResponse): void {
  const { url, headers, linked } = answer
  const etag = headers.etag ?? null
  if (location.url === url) assertSameEtag(what, location.etag, etag)
  assertSameEtag(what, location.linkedEtag, linked.etag)
  location.url = url
  location.etag = etag
  location.linkedEtag ??= linked.etag
}

function assertSameEtag(what: string, known: string | null, found: string | null): void {
  if (known === null || found === null) return
  // a weak one names the same content
  const plain = (etag: string) => etag.replace(/^W\//, '')
  if (plain(known) !== plain(found)) throw changedError(what, `content ${known}`, found)
}

export function changedError(what: string, expected: string, found: string): LayerpruneError {
  return new LayerpruneError(`${what}: changed while it was read: expected ${expected}, found ${found}`, {
    hint: 'run it again',
  })
}
