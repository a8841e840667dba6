import { type FileHandle, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { countBytes, type ProgressOptions } from '../../base/progress.js'
import { explainFailure, makeFolder, writeExactly } from '../../base/write-files.js'
import { readExactly } from '../../files/read-exactly.js'
import { type FileRange, type PlannedFile, type RowParts, sumPlanned } from './planned-file.js'

/** Read and written at a time; two such pieces are held. */
const CHUNK_BYTES = 4 * 1024 * 1024

interface WriteOptions extends ProgressOptions {
  /** The folder's name in messages. */
  named: string
  signal?: AbortSignal | undefined
}

/**
 * Writes planned files into a folder that has none of them, holding a few megabytes at a time.
 * @throws LayerpruneError with the name of the file if the disk is full, a file cannot be read or written, or a file
 *   that is being copied has become shorter
 * @throws what `signal` was aborted with, between two pieces
 */
export async function writePlannedFiles(
  folder: string,
  files: PlannedFile[],
  { named, signal, onProgress }: WriteOptions,
): Promise<void> {
  const source = new SourceFile()
  const totalBytes = sumPlanned(files)
  let writtenBytes = 0
  const onWritten = (bytes: number) => {
    writtenBytes += bytes
    onProgress?.(countBytes('writing', writtenBytes, totalBytes))
  }
  try {
    for (const file of files) await writePlannedFile(folder, file, source, { named, signal, onWritten })
  } finally {
    await source.close()
  }
}

async function writePlannedFile(
  folder: string,
  { name, parts }: PlannedFile,
  source: SourceFile,
  { named, signal, onWritten }: Omit<WriteOptions, 'onProgress'> & { onWritten: (bytes: number) => void },
): Promise<void> {
  const path = join(folder, name)
  const explain = <T>(action: () => Promise<T>) => explainFailure(join(named, name), action)
  await makeFolder(dirname(path))
  const target = await explain(() => open(path, 'wx'))
  const write = async (bytes: Uint8Array) => {
    signal?.throwIfAborted()
    await explain(() => writeExactly(target, bytes))
    onWritten(bytes.byteLength)
  }
  try {
    for (const part of joinRanges(parts)) {
      if (part instanceof Uint8Array) await write(part)
      else if ('make' in part) await write(part.make())
      else if ('stream' in part) for await (const bytes of part.stream()) await write(bytes)
      else if ('kept' in part) await source.readRows(part, write)
      else await source.read(part, write)
    }
  } finally {
    await target.close()
  }
}

/** Ranges of a file that follow each other become one. */
function joinRanges(parts: PlannedFile['parts']): PlannedFile['parts'] {
  const joined: PlannedFile['parts'] = []
  for (const part of parts) {
    const last = joined.at(-1)
    if (
      isRange(part) &&
      isRange(last) &&
      last.file === part.file &&
      last.offsetBytes + last.sizeBytes === part.offsetBytes
    ) {
      joined[joined.length - 1] = { ...last, sizeBytes: last.sizeBytes + part.sizeBytes }
    } else {
      joined.push(part)
    }
  }
  return joined
}

function isRange(part: PlannedFile['parts'][number] | undefined): part is FileRange {
  return part !== undefined && 'offsetBytes' in part
}

/** The file that is copied from, kept open from one range to the next. */
class SourceFile {
  #path = ''
  #handle: FileHandle | undefined
  readonly #buffers = [new Uint8Array(CHUNK_BYTES), new Uint8Array(CHUNK_BYTES)]

  /** Hands over a range piece by piece; the next is read while one is written. */
  async read(
    { file, offsetBytes, sizeBytes }: FileRange,
    onPiece: (bytes: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const handle = await this.#open(file)
    const end = offsetBytes + sizeBytes
    let writing = Promise.resolve()
    try {
      for (let position = offsetBytes, turn = 0; position < end; position += CHUNK_BYTES, turn++) {
        const buffer = this.#buffers[turn % 2]!.subarray(0, Math.min(CHUNK_BYTES, end - position))
        await this.#fill(handle, buffer, position)
        await writing
        writing = onPiece(buffer)
        // a failure is seen at the next await, not before
        writing.catch(() => {})
      }
    } finally {
      await writing
    }
  }

  /** Hands over the kept parts of as many rows as fit into a piece at a time. */
  async readRows(
    { file, rowsFromByte, rowBytes, rows, kept }: RowParts,
    onPiece: (bytes: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const handle = await this.#open(file)
    const perPiece = Math.max(1, Math.floor(CHUNK_BYTES / rowBytes))
    for (let first = 0; first < rows; first += perPiece) {
      const count = Math.min(perPiece, rows - first)
      const buffer = new Uint8Array(count * rowBytes)
      await this.#fill(handle, buffer, rowsFromByte + first * rowBytes)
      const parts = Array.from({ length: count }, (_, row) =>
        kept.map(([start, end]) => buffer.subarray(row * rowBytes + start, row * rowBytes + end)),
      )
      await onPiece(Buffer.concat(parts.flat()))
    }
  }

  async #fill(handle: FileHandle, buffer: Uint8Array, position: number): Promise<void> {
    const explainEnd = (endBytes: number) =>
      new LayerpruneError(`${this.#path} ended at byte ${endBytes} while it was copied`, {
        hint: 'it has become shorter since its header was read: do not change a model while it is pruned',
      })
    await readExactly(handle, buffer, position, explainEnd).catch((cause: Error) => {
      throw cause instanceof LayerpruneError ? cause : unreadable(this.#path, cause)
    })
  }

  async close(): Promise<void> {
    await this.#handle?.close()
    this.#handle = undefined
  }

  async #open(file: string): Promise<FileHandle> {
    if (this.#handle !== undefined && this.#path === file) return this.#handle
    await this.close()
    this.#path = file
    this.#handle = await open(file, 'r').catch((cause: Error) => {
      throw unreadable(file, cause)
    })
    return this.#handle
  }
}

function unreadable(file: string, cause: Error): LayerpruneError {
  return new LayerpruneError(`cannot read ${file}: ${cause.message}`, { cause })
}
