import type { FileHandle } from 'node:fs/promises'
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader } from 'yauzl'
import { LayerpruneError } from '../../../base/errors.js'
import { readExactly } from '../../read-exactly.js'
import { quoteName } from '../safetensors-header.js'

/** Some three a tensor. */
const MAX_ENTRIES = 1_000_000

/** A file inside a zip archive, as the archive's directory lists it. */
export interface ZipEntry {
  name: string
  sizeBytes: number
  /**
   * Finds the first byte of an entry that is stored as it is.
   * @throws LayerpruneError if it is compressed or encrypted, or does not lie in the file
   */
  locate: () => Promise<number>
}

/** An open file, with the path that messages name. */
export interface OpenFile {
  handle: FileHandle
  path: string
  sizeBytes: number
}

/**
 * Reads the directory at the end of a zip archive, never the files in it.
 * @returns the entries by name
 * @throws LayerpruneError if it is malformed, has over a million entries, or names an entry twice
 */
export async function readZipDirectory(file: OpenFile): Promise<Map<string, ZipEntry>> {
  const explain = (cause: Error) => {
    throw cause instanceof LayerpruneError ? cause : malformed(file.path, `its directory is damaged: ${cause.message}`)
  }
  // sizes are checked for stored entries alone, once they are needed
  const options = { autoClose: false, validateEntrySizes: false }
  const zip = await fromRandomAccessReaderPromise(new BoundedReader(file), file.sizeBytes, options).catch(explain)
  if (zip.entryCount > MAX_ENTRIES) {
    throw malformed(file.path, `it has ${zip.entryCount} entries, expected at most ${MAX_ENTRIES}`)
  }
  const entries = new Map<string, ZipEntry>()
  const each = zip.eachEntry()
  for (let next = await each.next().catch(explain); !next.done; next = await each.next().catch(explain)) {
    const entry = next.value
    const { fileName: name, uncompressedSize: sizeBytes } = entry
    if (entries.has(name)) throw malformed(file.path, `its directory names ${quoteName(name)} twice`)
    const locate = async () => {
      assertStored(file, entry)
      const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true }).catch(explain)
      if (fileDataStart + sizeBytes <= file.sizeBytes) return fileDataStart
      throw malformed(
        file.path,
        `${quoteName(name)} ends at byte ${fileDataStart + sizeBytes}, the file has ${file.sizeBytes}`,
      )
    }
    entries.set(name, { name, sizeBytes, locate })
  }
  return entries
}

/** yauzl asks for any offset that the archive states; fs.read throws at those that no file can have. */
class BoundedReader extends RandomAccessReader {
  readonly #file: OpenFile

  constructor(file: OpenFile) {
    super()
    this.#file = file
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    readRange(this.#file, position, length).then((bytes) => {
      bytes.copy(buffer, offset)
      callback(null)
    }, callback)
  }
}

function assertStored({ path }: OpenFile, entry: Entry): void {
  const name = quoteName(entry.fileName)
  if (entry.isEncrypted()) throw malformed(path, `${name} is encrypted`)
  if (entry.compressionMethod !== 0) {
    throw malformed(path, `${name} is compressed, expected data as torch.save stores it`)
  }
  if (entry.compressedSize !== entry.uncompressedSize) throw malformed(path, `${name} has two sizes`)
}

/** @throws LayerpruneError if the bytes do not lie in the file */
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
