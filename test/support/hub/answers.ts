import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { StoredFile } from './repos.js'

/** What goes wrong with an answer. */
export type Fault =
  | { kind: 'status'; status: number; headers?: Record<string, string> }
  /** The connection breaks after so many bytes of the body. */
  | { kind: 'drop'; afterBytes: number }
  /** Nothing more comes after so many bytes, and the connection stays. */
  | { kind: 'stall'; afterBytes: number }
  /** The body announces fewer bytes than there are, and ends there. */
  | { kind: 'short'; bytes: number }
  /** A list of other entries, none where left out. */
  | { kind: 'list'; headers: Record<string, string>; entries?: unknown[] }
  /** A page for people, with status 200. */
  | { kind: 'html' }
  /** Any other answer. */
  | { kind: 'answer'; status?: number; headers?: Record<string, string>; body: string }
  /** A few bytes at a time. */
  | { kind: 'slow'; bytes: number; everyMs: number }
  /** Sends the request on, with a body that does not end. */
  | { kind: 'slowRedirect'; location: string }
  /** The content has another name. */
  | { kind: 'etag'; etag: string }
  /** One byte is another. */
  | { kind: 'corrupt' }

/** Sends a file, or the part of it that the request's Range asks for. */
export function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  { bytes }: Pick<StoredFile, 'bytes'>,
  headers: Record<string, string>,
  fault: Fault | undefined,
) {
  if (fault?.kind === 'etag') headers = { ...headers, etag: fault.etag }
  const type = { ...headers, 'content-type': 'application/octet-stream', 'accept-ranges': 'bytes' }
  const [, start = '', end = ''] = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  if (start === '' && end === '') return sendBody(response, 200, bytes, type, fault, request.method)
  const first = start === '' ? Math.max(0, bytes.length - Number(end)) : Number(start)
  const last = start === '' || end === '' ? bytes.length - 1 : Math.min(Number(end), bytes.length - 1)
  if (first > last) return send(response, 416, Buffer.from(''), { 'content-range': `bytes */${bytes.length}` })
  const range = { ...type, 'content-range': `bytes ${first}-${last}/${bytes.length}` }
  sendBody(response, 206, bytes.subarray(first, last + 1), range, fault, request.method)
}

/** Sends a body, damaged where a fault says so. */
export function sendBody(
  response: ServerResponse,
  status: number,
  body: Buffer,
  headers: Record<string, string>,
  fault: Fault | undefined,
  method = 'GET',
) {
  if (fault?.kind === 'corrupt') {
    const other = Buffer.from(body)
    other[other.length >> 1]! ^= 0xff
    return send(response, status, other, headers, method)
  }
  if (fault?.kind === 'short') return send(response, status, body.subarray(0, fault.bytes), headers, method)
  if (fault?.kind === 'slow') return void sendSlowly(response, status, body, headers, fault)
  if (fault?.kind !== 'drop' && fault?.kind !== 'stall') return send(response, status, body, headers, method)
  response.writeHead(status, { ...headers, 'content-length': `${body.length}` })
  response.write(body.subarray(0, fault.afterBytes))
  if (fault.kind === 'drop') setTimeout(() => response.destroy(), 20)
}

export async function sendSlowly(
  response: ServerResponse,
  status: number,
  body: Buffer,
  headers: Record<string, string>,
  { bytes, everyMs }: Extract<Fault, { kind: 'slow' }>,
) {
  response.writeHead(status, { ...headers, 'content-length': `${body.length}` })
  for (let start = 0; start < body.length && !response.destroyed; start += bytes) {
    response.write(body.subarray(start, start + bytes))
    await sleep(everyMs)
  }
  response.end()
}

/** Sends an answer; to HEAD without its body. */
export function send(
  response: ServerResponse,
  status: number,
  body: Buffer,
  headers: Record<string, string> = {},
  method = 'GET',
) {
  response.writeHead(status, { ...headers, 'content-length': `${body.length}` })
  if (method !== 'HEAD') response.write(body)
  response.end()
}
