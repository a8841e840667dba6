import { createReadStream, openSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { LayerpruneError, UsageError } from '../../base/errors.js'
import { isDescriptor } from '../../base/regular-file.js'
import type { DataSource } from '../../files/byte-source.js'
import type { DataKind, DatasetFile } from './kind.js'
import { unpack } from './read-rows.js'
import { Spool } from './spool.js'

/** Names of standard input. */
const STDIN_NAMES = ['-', '/dev/stdin', '/dev/fd/0', '/proc/self/fd/0']

/** Bytes that tell a kind of data. */
const HEAD_BYTES = 1 << 10

/** Those that were opened: a pipe is read once in the life of the process, however often its texts are. */
const opened = new Map<string, Promise<DatasetFile>>()

/** What messages call it. */
export function describePiped(path: string): string {
  return STDIN_NAMES.includes(path) ? 'standard input' : path
}

/** Whether a path is standard input or a pipe, which has no name that says what it holds and cannot be read twice. */
export async function isPiped(path: string): Promise<boolean> {
  if (path === '-' || isDescriptor(path)) return true
  return stat(path).then(
    (stats) => stats.isFIFO(),
    () => false,
  )
}

/**
 * Opens standard input or a pipe; its first bytes say what it holds: JSON Lines, a JSON array, Parquet or else plain
 * text with one text per line, also packed with gzip or Zstandard.
 * @throws UsageError if it is standard input and a terminal
 * @throws LayerpruneError if it cannot be opened
 */
export function openPiped(path: string, onNote?: (message: string) => void): Promise<DatasetFile> {
  const name = STDIN_NAMES.includes(path) ? '-' : path
  const known = opened.get(name)
  if (known !== undefined) return known
  const file = openOnce(name, onNote)
  opened.set(name, file)
  return file
}

async function openOnce(path: string, onNote?: (message: string) => void): Promise<DatasetFile> {
  const name = path === '-' ? 'stdin' : path
  const source = new Spool(name, path === '-' ? openStdin() : await openPipe(path))
  const kind = await detectContent(source)
  const shown = describePiped(path)
  if (kind === undefined) throw new LayerpruneError(`${shown} is empty: expected texts`)
  onNote?.(`${shown} holds ${describeKind(kind)}`)
  return { source, kind }
}

function openStdin(): Readable {
  if (!process.stdin.isTTY) return process.stdin
  throw new UsageError('`dataset: -` reads texts from standard input, which is the terminal', {
    hint: 'pipe them, for example zcat texts.jsonl.gz | layerprune ... `dataset: -`',
  })
}

async function openPipe(path: string): Promise<Readable> {
  try {
    if (!(await stat(path)).isFIFO()) return createReadStream(path)
    return new Socket({ fd: openSync(path, 'r'), readable: true, writable: false })
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    throw new LayerpruneError(`cannot open dataset ${path}: ${code ?? message}`, { cause })
  }
}

/** @returns undefined if there is nothing */
async function detectContent(source: DataSource): Promise<DataKind | undefined> {
  const head = await readHead(source.readBytes())
  if (head === '') return undefined
  if (head.startsWith('PAR1')) return { format: 'parquet', packing: null }
  const packing = head.startsWith('\x1f\x8b') ? 'gzip' : head.startsWith('\x28\xb5\x2f\xfd') ? 'zstd' : null
  const start = packing === null ? head : await readHead(unpack(source, packing))
  const [first] = /^(?:\xef\xbb\xbf)?\s*(\{|\[\s*\{)?/.exec(start)!.slice(1)
  if (first === undefined) return { format: 'text', packing, isLines: true }
  return { format: first === '{' ? 'jsonl' : 'json', packing }
}

/** The first bytes, each as a character. */
async function readHead(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let head = ''
  for await (const chunk of chunks) {
    head += Buffer.from(chunk).toString('latin1', 0, HEAD_BYTES)
    if (/\S/.test(head) && head.length >= 4) break
  }
  return head
}

const WORDS: Partial<Record<DataKind['format'], string>> = {
  jsonl: 'JSON Lines',
  json: 'a JSON array',
  parquet: 'Parquet',
  text: 'plain text, one text per line',
}

function describeKind({ format, packing }: DataKind): string {
  return `${WORDS[format]}${packing === null ? '' : `, packed with ${packing}`}`
}
