import { LayerpruneError } from '../../base/errors.js'
import type { DataSource, RandomAccessFile } from '../byte-source.js'
import { discard } from './body.js'
import { type HubResponse, wholeNumberOf } from './http.js'
import { type Hub, isPage, makeRetryPolicy, type Request } from './hub.js'
import { explainRefusal, explainStatus } from './refusal.js'
import type { Repo } from './repo.js'
import { TransientError } from './retry.js'
import {
  assertSameCommit,
  assertSameContent,
  changedError,
  type Location,
  type Pin,
  startLocation,
} from './same-content.js'

/** A file on the Hub, or at any address. */
export interface RemoteFile extends Omit<Request, 'repo'> {
  /** Null for a file that is not on the Hub. */
  repo: Repo | null
  url: string
  /** As listed; null if not yet known. */
  sizeBytes: number | null
  /** The repository's revision if omitted. */
  pin?: Pin
}

/** Part of a file; `end` is exclusive, null for the file's end. */
interface Range {
  start: number
  end: number | null
}

/** Bytes at the end of a file that are read at once: the footer of most Parquet files. */
const TAIL_BYTES = 1 << 16
/** How a CDN answers once its signed address has expired. */
const EXPIRED = new Set([400, 401, 403, 404, 410])

/**
 * The bytes of a file in order, resumed if the connection breaks, never more than were announced.
 * @throws LayerpruneError if it is refused, or the rest does not arrive in time
 */
export async function* streamFile(
  hub: Hub,
  file: RemoteFile,
  { start, end }: Range = { start: 0, end: null },
  location: Location = startLocation(),
): AsyncGenerator<Buffer> {
  const policy = makeRetryPolicy(hub, `cannot read ${file.what}`)
  let position = start
  let total = file.sizeBytes
  while (position < (end ?? total ?? Number.POSITIVE_INFINITY)) {
    try {
      const response = await openRange(hub, file, { start: position, end }, location)
      total ??= totalOf(response)
      const limit = end ?? total ?? Number.POSITIVE_INFINITY
      // a server that does not support ranges starts at the beginning
      let toSkip = response.status === 200 ? position : 0
      for await (const chunk of response.chunks) {
        const skipped = Math.min(toSkip, chunk.length)
        toSkip -= skipped
        const wanted = chunk.subarray(skipped, skipped + limit - position)
        if (end === null && skipped + wanted.length < chunk.length) {
          throw new LayerpruneError(`${file.what}: more bytes arrive than the ${total} that were announced`)
        }
        position += wanted.length
        policy.addProgress(wanted.length)
        if (wanted.length > 0) yield wanted
        if (end !== null && position === end) return
      }
      if (total === null) return
      if (position < limit) throw new TransientError(`it ends after ${position} of ${limit} bytes`)
    } catch (error) {
      await policy.waitAfter(error)
    }
  }
}

/** @throws LayerpruneError if the file is refused or does not arrive in time */
async function openRemoteFile(hub: Hub, file: RemoteFile): Promise<RandomAccessFile> {
  const location = startLocation()
  const { tail, sizeBytes } = await readTail(hub, file, location)
  const tailStart = sizeBytes - tail.length
  const sized: RemoteFile = { ...file, sizeBytes }
  return {
    byteLength: sizeBytes,
    async slice(start, end = sizeBytes) {
      if (start < 0 || end < start || end > sizeBytes) {
        throw new LayerpruneError(
          `${file.what}: corrupt: expected bytes ${start} to ${end}, found a file of ${sizeBytes} bytes`,
        )
      }
      const bytes = allocate(end - start, file.what)
      let filled = 0
      const remoteEnd = Math.min(end, tailStart)
      if (start < remoteEnd) {
        for await (const chunk of streamFile(hub, sized, { start, end: remoteEnd }, location)) {
          bytes.set(chunk, filled)
          filled += chunk.length
        }
      }
      bytes.set(tail.subarray(start + filled - tailStart, end - tailStart), filled)
      return bytes.buffer
    },
    close: async () => {},
  }
}

/** @throws EntryNotFoundError if the file is not there */
export async function readRemoteText(hub: Hub, file: RemoteFile, maxBytes: number): Promise<string> {
  const parts: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of streamFile(hub, file)) {
    sizeBytes += chunk.length
    if (sizeBytes > maxBytes) throw new LayerpruneError(`${file.what} is larger than ${maxBytes} bytes`)
    parts.push(chunk)
  }
  return Buffer.concat(parts).toString('utf8')
}

export function openRemoteSource(hub: Hub, file: RemoteFile): DataSource {
  return {
    name: file.what,
    readBytes: () => streamFile(hub, file),
    openRandomAccess: () => openRemoteFile(hub, file),
  }
}

function allocate(sizeBytes: number, what: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(sizeBytes)
  } catch (cause) {
    throw new LayerpruneError(`${what}: corrupt or too large: no memory for ${sizeBytes} bytes at once`, {
      cause,
    })
  }
}

/** Reads the end of a file, and with it how long the file is. */
async function readTail(hub: Hub, file: RemoteFile, location: Location) {
  return makeRetryPolicy(hub, `cannot read ${file.what}`).persist(async () => {
    const response = await openRange(hub, file, { start: -TAIL_BYTES, end: null }, location)
    const sizeBytes = file.sizeBytes ?? totalOf(response)
    if (response.status === 206 && sizeBytes === null) {
      await discard(response.chunks)
      throw new LayerpruneError(`${file.what}: the server does not say how long it is`)
    }
    let tail = Buffer.alloc(0)
    let received = 0
    for await (const chunk of response.chunks) {
      tail = Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES)
      received += chunk.length
      if (sizeBytes !== null && received > sizeBytes) break
    }
    const expected = response.status === 200 ? sizeBytes : Math.min(TAIL_BYTES, sizeBytes ?? received)
    if (expected !== null && received !== expected) {
      throw new TransientError(`${received} bytes arrive instead of ${expected}`)
    }
    return { tail, sizeBytes: sizeBytes ?? received }
  })
}

/** Requests part of a file; a negative start counts from the end. Status is 200 if all of it comes. */
async function openRange(hub: Hub, file: RemoteFile, { start, end }: Range, location: Location): Promise<HubResponse> {
  const isWhole = start === 0 && end === null
  const range = start < 0 ? `${start}` : `${start}-${end === null ? '' : end - 1}`
  const headers: Record<string, string> = isWhole ? {} : { range: `bytes=${range}` }
  const response = await hub.http.get(location.url ?? file.url, headers)
  const isExpired = location.url !== null && EXPIRED.has(response.status)
  try {
    if (!isExpired) assertUsable(hub, file, start, location, response)
  } catch (error) {
    await discard(response.chunks)
    throw error
  }
  if (!isExpired) return response
  await discard(response.chunks)
  location.url = null
  return openRange(hub, file, { start, end }, location)
}

function assertUsable(hub: Hub, file: RemoteFile, start: number, location: Location, response: HubResponse): void {
  assertSameCommit(file.what, file.pin ?? { commit: file.repo?.revision ?? null }, response)
  if (response.status !== 200 && response.status !== 206) {
    if (file.repo === null) throw explainStatus(file.what, response.status)
    throw explainRefusal(response, { repo: file.repo, what: file.what, settings: hub.settings })
  }
  if (isPage(response)) {
    if (file.repo === null) {
      throw new LayerpruneError(`${file.what} is a web page, not a file of data`, {
        hint: 'give the address from which the page downloads the file',
      })
    }
    throw new TransientError(`${new URL(response.url).host} answers with a web page instead of the file`)
  }
  assertSameContent(file.what, location, response)
  assertRange(file, start, response)
}

/** The part of a file must start where it was asked to, and belong to a file of the known length. */
function assertRange({ what, sizeBytes }: RemoteFile, start: number, response: HubResponse): void {
  if (response.status !== 206) return
  const total = rangeTotalOf(response.headers)
  if (total !== null && total !== (sizeBytes ?? total)) throw changedError(what, `${sizeBytes} bytes`, `${total}`)
  const expected = start >= 0 ? start : total === null ? null : Math.max(0, total + start)
  const found = /^bytes (\d+)-/.exec(response.headers['content-range'] ?? '')?.[1]
  if (expected !== null && Number(found) !== expected) {
    throw new TransientError(
      found === undefined
        ? 'the server does not say which bytes it sends'
        : `byte ${found} arrives instead of byte ${expected}`,
    )
  }
}

/** Length of the whole file, from whichever header states it. */
function totalOf({ status, headers, linked }: HubResponse): number | null {
  return linked.sizeBytes ?? (status === 206 ? rangeTotalOf(headers) : wholeNumberOf(headers['content-length']))
}

function rangeTotalOf(headers: HubResponse['headers']): number | null {
  return wholeNumberOf(/\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1])
}
