import type { FileHandle } from 'node:fs/promises'
import type { Tensor } from 'onnxruntime-node'
import { LayerpruneError } from '../../base/errors.js'
import { readExactly } from '../../files/read-exactly.js'
import { cannotKeep, openTemporary } from '../../texts/data/temporary-file.js'

export interface Kept {
  read(): Promise<Tensor>
  free(): void
}

const WHAT = 'states of the texts'

/** Keeps tensors in memory for as long as there is room, and the others in a temporary file. */
export class TensorStore {
  readonly #roomBytes: number
  #heldBytes = 0
  #file: Promise<FileHandle> | undefined
  #endBytes = 0
  /** Places in the file that can be used again, by their size. */
  readonly #free = new Map<number, number[]>()

  constructor(roomBytes = Infinity) {
    this.#roomBytes = roomBytes
  }

  /** @throws LayerpruneError if there is no room for it on the disk either */
  async keep(tensor: Tensor): Promise<Kept> {
    const { byteLength } = tensor.data as Float32Array
    if (this.#heldBytes + byteLength <= this.#roomBytes) return this.#hold(tensor, byteLength)
    return this.#write(tensor)
  }

  async close(): Promise<void> {
    await (await this.#file)?.close()
  }

  #hold(tensor: Tensor, byteLength: number): Kept {
    this.#heldBytes += byteLength
    let held: Tensor | undefined = tensor
    return {
      read: async () => held!,
      free: () => {
        if (held !== undefined) this.#heldBytes -= byteLength
        held = undefined
      },
    }
  }

  async #write(tensor: Tensor): Promise<Kept> {
    const { type, dims } = tensor
    const data = tensor.data as Float32Array
    const { buffer, byteOffset, byteLength } = data
    const Numbers = data.constructor as Float32ArrayConstructor
    this.#file ??= openTemporary(WHAT)
    const file = await this.#file
    const place = this.#free.get(byteLength)?.pop() ?? this.#endBytes
    this.#endBytes = Math.max(this.#endBytes, place + byteLength)
    await writeAll(file, new Uint8Array(buffer, byteOffset, byteLength), place)
    const { Tensor } = await import('onnxruntime-node')
    let isFreed = false
    return {
      read: async () => {
        const bytes = new Uint8Array(byteLength)
        await readExactly(file, bytes, place, () => new LayerpruneError('the temporary file was cut short'))
        return new Tensor(type as 'float32', new Numbers(bytes.buffer), dims)
      },
      free: () => {
        if (!isFreed) this.#free.set(byteLength, [...(this.#free.get(byteLength) ?? []), place])
        isFreed = true
      },
    }
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  try {
    for (let written = 0; written < bytes.length; ) {
      const rest = bytes.length - written
      written += (await file.write(bytes, written, rest, position + written)).bytesWritten
    }
  } catch (cause) {
    throw cannotKeep(WHAT, cause as NodeJS.ErrnoException)
  }
}
