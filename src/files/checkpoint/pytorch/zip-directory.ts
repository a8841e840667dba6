import type { FileHandle } from 'node:fs/promises'
import { LayerpruneError } from '../../../base/errors.js'
import { readExactly } from '../../read-exactly.js'
import { quoteName } from '../safetensors-header.js'

const END_BYTES = 22
const END_64_BYTES = 56
const LOCATOR_BYTES = 20
const ENTRY_BYTES = 46
const LOCAL_BYTES = 30
/** A comment may follow the end record; its length is a uint16. */
const MAX_COMMENT_BYTES = 0xffff
/** Some 100 bytes an entry: a million of them. */
const MAX_DIRECTORY_BYTES = 100_000_000
const SIGNATURES = {
  end: 0x06054b50,
  end64: 0x06064b50,
  locator: 0x07064b50,
  entry: 0x02014b50,
  local: 0x04034b50,
}
/** A field of 32 bits that says: the number is in the extra field for 64 bits. */
const IN_EXTRA = 0xffffffff
const ZIP64_EXTRA = 1

/** A file inside a zip archive, as the archive's directory lists it. */
export interface ZipEntry {
  name: string
  /** 0 if stored as it is. */
  compression: number
  isEncrypted: boolean
  sizeBytes: number
  /** Offset of the header before the data. */
  headerOffset: number
}

/** An open file, with the path that messages name. */
export interface OpenFile {
  handle: FileHandle
  path: string
  sizeBytes: number
}

interface Directory {
  offset: number
  sizeBytes: number
  count: number
}

/**
 * Reads the directory at the end of a zip archive, never the files in it.
 * @returns the entries by name
 * @throws LayerpruneError if it is malformed, over 100 MB, or names an entry twice
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
export async function readZipDirectory(file: OpenFile): Promise<Map<string, ZipEntry>> {
  const { offset, sizeBytes, count } = await findDirectory(file)
  if (sizeBytes > MAX_DIRECTORY_BYTES) {
    throw malformed(
      file.path,
      `its directory has ${sizeBytes} bytes, expected at most ${MAX_DIRECTORY_BYTES}`,
    )
  }
  const bytes = await readRange(file, offset, sizeBytes)
  const entries = new Map<string, ZipEntry>()
  let at = 0
  while (at < sizeBytes) {
    const { entry, end } = parseEntry(bytes, at, file.path)
    if (entries.has(entry.name)) {
      throw malformed(file.path, `its directory names ${quoteName(entry.name)} twice`)
    }
    entries.set(entry.name, entry)
    at = end
  }
  if (entries.size !== count) {
    throw malformed(file.path, `its directory has ${entries.size} entries, expected ${count}`)
  }
  return entries
}

/**
 * Finds the first byte of an entry that is stored as it is.
 * @throws LayerpruneError if it is compressed or encrypted, or does not lie in the file
 */
export async function locateEntry(file: OpenFile, entry: ZipEntry): Promise<number> {
  const name = quoteName(entry.name)
  if (entry.isEncrypted) throw malformed(file.path, `${name} is encrypted`)
  if (entry.compression !== 0) {
    throw malformed(file.path, `${name} is compressed, expected data as torch.save stores it`)
  }
  const header = await readRange(file, entry.headerOffset, LOCAL_BYTES)
  if (header.readUInt32LE() !== SIGNATURES.local) throw malformed(file.path, `${name} has no header`)
  const start = entry.headerOffset + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28)
  if (start + entry.sizeBytes > file.sizeBytes) {
    throw malformed(
      file.path,
      `${name} ends at byte ${start + entry.sizeBytes}, the file has ${file.sizeBytes}`,
    )
  }
  return start
}

/**
 * Reads bytes of a file.
 * @throws LayerpruneError if they do not lie in the file
 */
export async function readRange(file: OpenFile, offset: number, lengthBytes: number): Promise<Buffer> {
  if (!(offset >= 0 && offset + lengthBytes <= file.sizeBytes)) {
    throw malformed(file.path, `bytes ${offset} to ${offset + lengthBytes} of ${file.sizeBytes} are missing`)
  }
  const buffer = Buffer.alloc(lengthBytes)
  await readExactly(file.handle, buffer, offset, (end) =>
    malformed(file.path, `expected ${offset + lengthBytes} bytes, found ${end}`),
  )
  return buffer
}

export function malformed(path: string, what: string): LayerpruneError {
  return new LayerpruneError(`${path} is not a valid PyTorch file: ${what}`, {
    hint: 'download or save the file again',
  })
}

async function findDirectory(file: OpenFile): Promise<Directory> {
  const tailBytes = Math.min(file.sizeBytes, END_BYTES + MAX_COMMENT_BYTES)
  const tailStart = file.sizeBytes - tailBytes
  const tail = await readRange(file, tailStart, tailBytes)
  for (let at = tailBytes - END_BYTES; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== SIGNATURES.end) continue
    if (at + END_BYTES + tail.readUInt16LE(at + 20) !== tailBytes) continue
    const directory64 = await findDirectory64(file, tailStart + at)
    return (
      directory64 ?? {
        count: tail.readUInt16LE(at + 10),
        sizeBytes: tail.readUInt32LE(at + 12),
        offset: tail.readUInt32LE(at + 16),
      }
    )
  }
  throw malformed(file.path, 'it has no directory at its end: it may be truncated')
}

/** @param end where the usual end record is */
async function findDirectory64(file: OpenFile, end: number): Promise<Directory | undefined> {
  if (end < LOCATOR_BYTES) return undefined
  const locator = await readRange(file, end - LOCATOR_BYTES, LOCATOR_BYTES)
  if (locator.readUInt32LE() !== SIGNATURES.locator) return undefined
  const record = await readRange(file, readSize(locator, 8, file.path), END_64_BYTES)
  if (record.readUInt32LE() !== SIGNATURES.end64) throw malformed(file.path, 'its directory is not found')
  return {
    count: readSize(record, 32, file.path),
    sizeBytes: readSize(record, 40, file.path),
    offset: readSize(record, 48, file.path),
  }
}

function parseEntry(bytes: Buffer, at: number, path: string): { entry: ZipEntry; end: number } {
  const isWhole = at + ENTRY_BYTES <= bytes.length
  if (!isWhole || bytes.readUInt32LE(at) !== SIGNATURES.entry) {
    throw malformed(path, 'its directory is damaged')
  }
  const nameEnd = at + ENTRY_BYTES + bytes.readUInt16LE(at + 28)
  const extraEnd = nameEnd + bytes.readUInt16LE(at + 30)
  const end = extraEnd + bytes.readUInt16LE(at + 32)
  if (end > bytes.length) throw malformed(path, 'its directory is damaged')
  const stated = {
    sizeBytes: bytes.readUInt32LE(at + 24),
    storedBytes: bytes.readUInt32LE(at + 20),
    headerOffset: bytes.readUInt32LE(at + 42),
  }
  const sizes = readExtra(bytes.subarray(nameEnd, extraEnd), stated, path)
  const name = bytes.toString('utf8', at + ENTRY_BYTES, nameEnd)
  const compression = bytes.readUInt16LE(at + 10)
  if (compression === 0 && sizes.storedBytes !== sizes.sizeBytes) {
    throw malformed(path, `${quoteName(name)} has two sizes`)
  }
  const { sizeBytes, headerOffset } = sizes
  const isEncrypted = (bytes.readUInt16LE(at + 8) & 1) === 1
  return { entry: { name, compression, isEncrypted, sizeBytes, headerOffset }, end }
}

/** The numbers of an entry; those that 32 bits do not hold are in its extra field, in the same order. */
function readExtra<T extends Record<string, number>>(extra: Buffer, stated: T, path: string): T {
  const large = Object.entries(stated).filter(([, value]) => value === IN_EXTRA)
  if (large.length === 0) return stated
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== ZIP64_EXTRA) continue
    if (at + 4 + 8 * large.length > extra.length) break
    const sizes = large.map(([key], index) => [key, readSize(extra, at + 4 + 8 * index, path)])
    return { ...stated, ...Object.fromEntries(sizes) }
  }
  throw malformed(path, 'its directory does not state the size of an entry')
}

function readSize(bytes: Buffer, at: number, path: string): number {
  const value = Number(bytes.readBigUInt64LE(at))
  if (!Number.isSafeInteger(value)) throw malformed(path, `its directory states the size ${value}`)
  return value
}
