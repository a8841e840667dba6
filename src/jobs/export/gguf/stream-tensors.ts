import { alignUp, USUAL_ALIGNMENT, type WrittenTensor } from '../../../files/gguf/write/encode.js'
import type { StreamedBytes } from '../../write-model/planned-file.js'
import type { Chunk, WrittenType } from './convert-chunk.js'
import { convertHere, convertInThreads } from './convert-chunks.js'
import type { PlacedTensor } from './placed-tensor.js'
import { ChunkReader } from './read-chunks.js'

/** A tensor of the file to write, and where its numbers come from. */
export type TensorToStream = { written: WrittenTensor } & (
  | { placed: PlacedTensor; type: WrittenType; importance?: Float32Array | undefined }
  | { values: Float32Array }
)

/** Converting this many numbers takes as long as starting threads. */
const NUMBERS_OF_THREADS = 4e6

/** The numbers of all tensors, one after another, each up to the alignment. */
export function streamTensors(tensors: TensorToStream[]): StreamedBytes {
  const sizeBytes = tensors.reduce((sum, { written }) => sum + alignUp(written.sizeBytes, USUAL_ALIGNMENT), 0)
  return { sizeBytes, stream: () => stream(tensors) }
}

async function* stream(tensors: TensorToStream[]): AsyncGenerator<Uint8Array> {
  const reader = new ChunkReader()
  const numbers = tensors.reduce((sum, { written }) => sum + countNumbers(written), 0)
  const convert = numbers < NUMBERS_OF_THREADS ? convertHere : convertInThreads
  try {
    yield* withGaps(tensors, convert(readAll(reader, tensors)))
  } finally {
    await reader.close()
  }
}

async function* readAll(reader: ChunkReader, tensors: TensorToStream[]): AsyncGenerator<Chunk> {
  for (const tensor of tensors) {
    if ('values' in tensor) {
      const { values } = tensor
      yield { numbers: { values: values.slice() }, width: values.length, offset: 0, type: 'F32' }
    } else yield* reader.read(tensor.placed, tensor.type, tensor.importance)
  }
}

/** Fills up what follows each tensor to the alignment. */
async function* withGaps(tensors: TensorToStream[], bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let tensor = 0
  let done = 0
  for await (const piece of bytes) {
    yield piece
    done += piece.byteLength
    const { sizeBytes } = tensors[tensor]!.written
    if (done < sizeBytes) continue
    yield new Uint8Array(alignUp(sizeBytes, USUAL_ALIGNMENT) - sizeBytes)
    tensor++
    done = 0
  }
}

function countNumbers({ shape }: WrittenTensor): number {
  return shape.reduce((product, size) => product * size, 1)
}
