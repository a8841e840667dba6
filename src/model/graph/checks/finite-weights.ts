import { join } from 'node:path'
import { LayerpruneError } from '../../../base/errors.js'
import { countBytes, type ProgressOptions } from '../../../base/progress.js'
import type { TensorLocation } from '../../../files/checkpoint/safetensors.js'
import { listParts, type WeightExpression } from '../../../files/checkpoint/weight-expression.js'
import { decodeFloats } from '../../../files/weights/decode-floats.js'
import { findNonFinite } from '../../../files/weights/find-non-finite.js'
import type { DecoderGraph } from '../decoder-graph.js'
import { FLOAT_DTYPES } from '../onnx/element-types.js'
import { getExternalData, initializersDeep } from '../onnx/external-data.js'
import { DataLocation, type TensorProto } from '../onnx/onnx.js'
import { WeightReader } from '../weight-reader.js'
import { countDims, ELEMENT_BITS } from '../weight-sizes.js'
import { findNonFiniteNumber } from './finite-parts.js'

export interface FiniteOptions extends ProgressOptions {
  /** The stored tensors, whose names errors use; omitted for an ONNX graph. */
  tensors?: ReadonlyMap<string, TensorLocation> | undefined
  signal?: AbortSignal | undefined
}

/** Fewer bytes are read without a progress report. */
const REPORTED_BYTES = 100e6

/**
 * Checks that all weights of a decoder are finite. Other values do not always show in the results: softmax maps
 * -Infinity to zero, a clip bounds Infinity, and rounding to 8 bits turns NaN into a number.
 *
 * An ONNX graph may hold Infinity as a constant, and -Infinity beside zeros in a mask.
 * @throws LayerpruneError that names the tensor, the position and the value
 */
export async function assertFiniteWeights(
  { model, weightsFolder, packed }: DecoderGraph,
  { tensors, signal, onProgress }: FiniteOptions = {},
): Promise<void> {
  const reader = new WeightReader()
  let doneBytes = 0
  const totalBytes = sumBytes(initializersDeep(model.graph))
  try {
    for (const tensor of initializersDeep(model.graph)) {
      if (totalBytes >= REPORTED_BYTES) onProgress?.(countBytes('checking weights', doneBytes, totalBytes))
      doneBytes += bytesOf(tensor)
      if (!FLOAT_DTYPES.has(tensor.dataType)) continue
      const expression = isExternal(tensor) ? packed?.get(tensor.name) : undefined
      if (expression !== undefined) {
        signal?.throwIfAborted()
        await assertFiniteParts(expression, reader)
        continue
      }
      // initializers inside a graph that layerprune built are not weights
      if (tensors !== undefined && !isExternal(tensor)) continue
      signal?.throwIfAborted()
      const found = await findIn(tensor, weightsFolder, reader)
      if (found === null) continue
      if (tensors === undefined && (await isConstantOrMask(tensor, found.value, weightsFolder, reader))) continue
      throw notFinite(found.value, describePlace(tensor, found.index, weightsFolder, tensors))
    }
  } finally {
    await reader.close()
  }
}

function bytesOf(tensor: TensorProto): number {
  return (countDims(tensor) * (ELEMENT_BITS.get(tensor.dataType) ?? 0)) / 8
}

function sumBytes(tensors: Iterable<TensorProto>): number {
  let sum = 0
  for (const tensor of tensors) sum += bytesOf(tensor)
  return sum
}

function isExternal({ dataLocation }: TensorProto): boolean {
  return dataLocation === DataLocation.EXTERNAL
}

/** Checks the scales of a packed weight, and its codes if some of them are not finite. */
async function assertFiniteParts(expression: WeightExpression, reader: WeightReader): Promise<void> {
  for (const read of listParts(expression)) {
    const found = await findNonFiniteNumber(read, reader)
    if (found === null) continue
    const { name, shape } = read.part
    throw notFinite(found.value, `tensor ${name} at ${formatPosition(found.index, shape)}`)
  }
}

async function isConstantOrMask(
  tensor: TensorProto,
  found: number,
  folder: string,
  reader: WeightReader,
): Promise<boolean> {
  if (Number.isNaN(found)) return false
  const isOfMask = (value: number) => value === 0 || value === -Infinity
  return countDims(tensor) === 1 || hasOnly(tensor, folder, reader, isOfMask)
}

function notFinite(value: number, place: string): LayerpruneError {
  return new LayerpruneError(`${place}: expected a finite number, found ${value}`, {
    hint: 'the weights are damaged, or were saved like this: download them again, or take another checkpoint',
  })
}

/** @param index of a number in an initializer, which may be part of a stored tensor */
function describePlace(tensor: TensorProto, index: number, folder: string, tensors: FiniteOptions['tensors']): string {
  const { location, offsetBytes } = getExternalData(tensor)
  const path = join(folder, location)
  const sizeBytes = bytesOfNumber(tensor)
  const place = offsetBytes + index * sizeBytes
  const stored = [...(tensors?.values() ?? [])].find(
    ({ file, offsetBytes: start, sizeBytes: size }) => file === path && start <= place && place < start + size,
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

async function findIn(
  tensor: TensorProto,
  folder: string,
  reader: WeightReader,
): Promise<{ index: number; value: number } | null> {
  let before = 0
  for await (const piece of readPieces(tensor, folder, reader)) {
    const found = findNonFinite(piece, FLOAT_DTYPES.get(tensor.dataType)!)
    if (found !== null) return { ...found, index: before + found.index }
    before += piece.length / bytesOfNumber(tensor)
  }
  return null
}

async function hasOnly(
  tensor: TensorProto,
  folder: string,
  reader: WeightReader,
  isAllowed: (value: number) => boolean,
): Promise<boolean> {
  for await (const piece of readPieces(tensor, folder, reader)) {
    if (!decodeFloats(piece, FLOAT_DTYPES.get(tensor.dataType)!).every(isAllowed)) return false
  }
  return true
}

/** Yields the bytes of an initializer, wherever they are stored; each piece overwrites the previous one. */
async function* readPieces(
  tensor: TensorProto,
  folder: string,
  reader: WeightReader,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  if (tensor.dataLocation !== DataLocation.EXTERNAL) {
    yield readInline(tensor)
    return
  }
  const { location, offsetBytes } = getExternalData(tensor)
  const sizeBytes = countDims(tensor) * bytesOfNumber(tensor)
  yield* reader.read({ path: join(folder, location), offsetBytes, sizeBytes })
}

/** ONNX has three fields for numbers inside a graph. */
function readInline({ rawData, floatData, int32Data }: TensorProto): Uint8Array<ArrayBuffer> {
  if (floatData.length > 0) return new Uint8Array(Float32Array.from(floatData).buffer)
  if (int32Data.length > 0) return new Uint8Array(Uint16Array.from(int32Data).buffer)
  return Uint8Array.from(rawData)
}
