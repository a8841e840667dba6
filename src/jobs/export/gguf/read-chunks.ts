import { type FileHandle, open } from 'node:fs/promises'
import { LayerpruneError } from '../../../base/errors.js'
import { readExpression } from '../../../engine/sessions/read-floats.js'
import { readFully } from '../../../files/checkpoint/read-fully.js'
import type { TensorLocation } from '../../../files/checkpoint/safetensors.js'
import type { Chunk, Numbers, WrittenType } from './convert-chunk.js'
import { type Piece, type PlacedTensor, rowsOf, widthOf } from './placed-tensor.js'

/** Numbers read at a time, if rows need not be moved. */
const CHUNK_NUMBERS = 1 << 20
/** ONNX Runtime decodes packed numbers, and takes some milliseconds each time. */
const DECODED_NUMBERS = 1 << 24

/** Reads tensors of a checkpoint piece by piece, and keeps the file open that it read last. */
export class ChunkReader {
  #path = ''
  #handle: FileHandle | undefined

  /**
   * The rows of a tensor of the file to write, in order.
   * @param importance  of the columns; of a stack, of those of each matrix
   */
  async *read(placed: PlacedTensor, type: WrittenType, importance?: Float32Array): AsyncGenerator<Chunk> {
    const { pieces, offset, shape } = placed
    const columns = widthOf(placed)
    for (const [place, piece] of pieces.entries()) {
      const matrix = shape.length > 2 ? Math.floor((place * shape[0]!) / pieces.length) : 0
      const own = importance?.slice(matrix * columns, (matrix + 1) * columns)
      const { source, turned, order } = piece
      const width = widthOf(source)
      for (const [start, end] of splitPiece(piece)) {
        const numbers = await this.#readRows(source, start, end)
        yield { numbers, width, turned, order, offset, type, importance: own }
      }
    }
  }

  async close(): Promise<void> {
    await this.#handle?.close()
    this.#handle = undefined
  }

  async #readRows(source: TensorLocation, start: number, end: number): Promise<Numbers> {
    const { name, dtype, expression, file, offsetBytes, sizeBytes } = source
    const width = widthOf(source)
    if (expression !== undefined) {
      const isWhole = start === 0 && end === rowsOf(source)
      const rows = {
        kind: 'rows' as const,
        shape: [end - start, width] as [number, number],
        of: expression,
        start,
        end,
      }
      return { values: await readExpression(isWhole ? expression : rows) }
    }
    if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16') {
      throw new LayerpruneError(`tensor ${name} is stored as ${dtype}, which cannot be converted`)
    }
    const rowBytes = sizeBytes / rowsOf(source)
    const bytes = new Uint8Array((end - start) * rowBytes)
    await readFully(await this.#open(file), file, bytes, offsetBytes + start * rowBytes)
    return { bytes, dtype }
  }

  async #open(file: string): Promise<FileHandle> {
    if (this.#handle !== undefined && this.#path === file) return this.#handle
    await this.close()
    this.#path = file
    this.#handle = await open(file).catch((cause: Error) => {
      throw new LayerpruneError(`cannot read ${file}: ${cause.message}`, { cause })
    })
    return this.#handle
  }
}

/** The rows of a piece, as many at a time as are converted together. */
function* splitPiece({ source, start, end, turned, order }: Piece): Generator<[start: number, end: number]> {
  if (turned || order !== undefined) {
    yield [start, end]
    return
  }
  const numbers = source.expression === undefined ? CHUNK_NUMBERS : DECODED_NUMBERS
  const rows = Math.max(1, Math.floor(numbers / widthOf(source)))
  for (let first = start; first < end; first += rows) yield [first, Math.min(first + rows, end)]
}
