import { type FileHandle, open } from 'node:fs/promises'
import { LayerpruneError } from '../../base/errors.js'
import { readFully } from '../../files/checkpoint/read-fully.js'

/** A multiple of the size of every type of number. */
const PIECE_BYTES = 1 << 20

/** Where bytes are. */
interface Place {
  path: string
  offsetBytes: number
  sizeBytes: number
}

/** Reads weights piece by piece, from files that it opens once. */
export class WeightReader {
  readonly #files = new Map<string, FileHandle>()
  readonly #buffer = new Uint8Array(PIECE_BYTES)

  /** Each piece is overwritten by the next. */
  async *read({ path, offsetBytes, sizeBytes }: Place): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const file = await this.#open(path)
    const end = offsetBytes + sizeBytes
    for (let start = offsetBytes; start < end; start += PIECE_BYTES) {
      const piece = this.#buffer.subarray(0, end - start)
      await readFully(file, path, piece, start)
      yield piece
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.close()))
  }

  async #open(path: string): Promise<FileHandle> {
    const known = this.#files.get(path)
    if (known !== undefined) return known
    const file = await open(path).catch((cause: Error) => {
      throw new LayerpruneError(`cannot read ${path}: ${cause.message}`, { cause })
    })
    this.#files.set(path, file)
    return file
  }
}
