import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { readFully } from '../checkpoint/read-fully.js'
import type { TensorLocation } from '../checkpoint/safetensors.js'
import { LayerpruneError } from '../errors.js'
import { decodeFloats } from '../weights/decode-floats.js'
import { findNonFinite } from '../weights/find-non-finite.js'
import type { DecoderGraph } from './decoder-graph.js'
import { FLOAT_DTYPES } from './element-types.js'
import { getExternalData, initializersDeep } from './external-data.js'
import { DataLocation, type TensorProto } from './onnx.js'
import { countDims, ELEMENT_BITS } from './weight-sizes.js'

const PIECE_BYTES = 1 << 20

export interface FiniteOptions {
  /** The tensors that the weights are stored in, by which errors name them; omitted for an ONNX graph. */
  tensors?: ReadonlyMap<string, TensorLocation> | undefined
  signal?: AbortSignal | undefined
}

/**
 * Checks that all weights of a decoder are finite. Other values do not always show in the results: softmax maps
 * -Infinity to zero, a clip bounds Infinity, and rounding to 8 bits turns NaN into a number.
 *
 * An ONNX graph may hold Infinity as a constant, and -Infinity beside zeros in a mask.
 * @throws LayerpruneError that names the tensor, the position and the value
 */
export async function assertFiniteWeights(
  { model, weightsFolder }: DecoderGraph,
  { tensors, signal }: FiniteOptions = {},
): Promise<void> {
  const reader = new WeightReader(weightsFolder)
  try {
    for (const tensor of initializersDeep(model.graph)) {
      if (!FLOAT_DTYPES.has(tensor.dataType)) continue
      // numbers inside a graph that layerprune built are not weights
      if (tensors !== undefined && tensor.dataLocation !== DataLocation.EXTERNAL) continue
      signal?.throwIfAborted()
      const found = await reader.findNonFinite(tensor)
      if (found === null) continue
      if (tensors === undefined && (await isConstantOrMask(tensor, found.value, reader))) continue
      throw notFinite(found.value, describePlace(tensor, found.index, weightsFolder, tensors))
    }
  } finally {
    await reader.close()
  }
}

async function isConstantOrMask(tensor: TensorProto, found: number, reader: WeightReader): Promise<boolean> {
  if (Number.isNaN(found)) return false
  return countDims(tensor) === 1 || reader.hasOnly(tensor, (value) => value === 0 || value === -Infinity)
}

function notFinite(value: number, place: string): LayerpruneError {
  return new LayerpruneError(`${place}: expected a finite number, found ${value}`, {
    hint: 'the weights are damaged, or were saved like this: download them again, or take another checkpoint',
  })
}

/** @param index of a number in a tensor of the graph, which may be part of a stored one */
function describePlace(
  tensor: TensorProto,
  index: number,
  folder: string,
  tensors: FiniteOptions['tensors'],
): string {
  const { location, offsetBytes } = getExternalData(tensor)
  const path = join(folder, location)
  const sizeBytes = bytesOfNumber(tensor)
  const place = offsetBytes + index * sizeBytes
  const stored = [...(tensors?.values() ?? [])].find(
    ({ file, offsetBytes: start, sizeBytes: size }) =>
      file === path && start <= place && place < start + size,
  )
  return stored === undefined
    ? `tensor ${tensor.name} at ${formatPosition(index, tensor.dims.map(Number))}`
    : `tensor ${stored.name} at ${formatPosition((place - stored.offsetBytes) / sizeBytes, stored.shape)}`
}

/** The coordinates of a number by its index, last axis fastest. */
function formatPosition(index: number, shape: number[]): string {
  const coordinates = shape.map((size, axis) => {
    const stride = shape.slice(axis + 1).reduce((product, other) => product * other, 1)
    return Math.floor(index / stride) % size
  })
  return `[${coordinates.join(', ')}]`
}

function bytesOfNumber({ dataType }: TensorProto): number {
  return ELEMENT_BITS.get(dataType)! / 8
}

/** Reads floating-point weights piece by piece, wherever they are. */
class WeightReader {
  readonly #folder: string
  readonly #files = new Map<string, FileHandle>()
  readonly #buffer = new Uint8Array(PIECE_BYTES)

  constructor(folder: string) {
    this.#folder = folder
  }

  async findNonFinite(tensor: TensorProto): Promise<{ index: number; value: number } | null> {
    let before = 0
    for await (const piece of this.#read(tensor)) {
      const found = findNonFinite(piece, FLOAT_DTYPES.get(tensor.dataType)!)
      if (found !== null) return { ...found, index: before + found.index }
      before += piece.length / bytesOfNumber(tensor)
    }
    return null
  }

  async hasOnly(tensor: TensorProto, isAllowed: (value: number) => boolean): Promise<boolean> {
    for await (const piece of this.#read(tensor)) {
      if (!decodeFloats(piece, FLOAT_DTYPES.get(tensor.dataType)!).every(isAllowed)) return false
    }
    return true
  }

  async close(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.close()))
  }

  /** Each piece is overwritten by the next. */
  async *#read(tensor: TensorProto): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    if (tensor.dataLocation !== DataLocation.EXTERNAL) {
      yield readInline(tensor)
      return
    }
    const { location, offsetBytes } = getExternalData(tensor)
    const path = join(this.#folder, location)
    const file = await this.#open(path)
    const end = offsetBytes + countDims(tensor) * bytesOfNumber(tensor)
    for (let start = offsetBytes; start < end; start += PIECE_BYTES) {
      const piece = this.#buffer.subarray(0, end - start)
      await readFully(file, path, piece, start)
      yield piece
    }
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

/** ONNX has three fields for numbers inside a graph. */
function readInline({ rawData, floatData, int32Data }: TensorProto): Uint8Array<ArrayBuffer> {
  if (floatData.length > 0) return new Uint8Array(Float32Array.from(floatData).buffer)
  if (int32Data.length > 0) return new Uint8Array(Uint16Array.from(int32Data).buffer)
  return Uint8Array.from(rawData)
}
