import { createHash, randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { decodeFloats } from './checkpoint/decode-floats.js'
import { quantizeMatrix } from './checkpoint/quantize-matrix.js'
import { LayerpruneError } from './errors.js'
import { formatSize } from './format-numbers.js'
import type { DecoderGraph } from './graph/decoder-graph.js'
import { FLOAT_DTYPES } from './graph/element-types.js'
import { commonFolder, getExternalData, initializersDeep, setExternalData } from './graph/external-data.js'
import { cloneModel, DataLocation } from './graph/onnx.js'
import {
  findWeightMatrices,
  type QuantizedMatrix,
  quantizeProducts,
  type WeightMatrix,
} from './graph/quantize-products.js'
import { explainFailure } from './write-files.js'

/** Changes whenever other bytes are written for the same weights. */
const FORMAT = 'layerprune int8 2'

const ALIGNMENT = 64

export interface Int8Options {
  /** Where the matrices in 8 bits are kept for the next run. */
  cacheFolder: string
  signal?: AbortSignal | undefined
  onNote?: ((message: string) => void) | undefined
}

/**
 * A decoder whose weight matrices are multiplied in 8 bits: made once, one matrix after the other, and kept in a file
 * that is known by path, size and time of the files that they come from.
 * @returns a new graph; the given one is not changed
 * @throws LayerpruneError where the decoder has no such matrix, or the file cannot be written
 */
export async function quantizeDecoder(decoder: DecoderGraph, options: Int8Options): Promise<DecoderGraph> {
  const { cacheFolder, onNote } = options
  const matrices = findWeightMatrices(decoder)
  if (matrices.length === 0) throw new LayerpruneError('the model has no weight matrix that can be made int8')
  await explainFailure(cacheFolder, () => mkdir(cacheFolder, { recursive: true }))
  const folder = await realpath(cacheFolder)
  const path = join(folder, `${await identifyMatrices(matrices)}.int8`)
  const { places, sizeBytes } = layOut(matrices)
  if (!(await hasSize(path, sizeBytes))) {
    onNote?.(`making ${formatSize(sizeBytes)} of int8 weights, once: ${path}`)
    await writeMatrices(path, matrices, places, options)
  }
  const weightsFolder = commonFolder([decoder.weightsFolder, folder])!
  const location = relative(weightsFolder, path)
  const quantized = new Map(
    [...places].map(([name, { values, scales }]): [string, QuantizedMatrix] => [
      name,
      { values: { ...values, location }, scales: { ...scales, location } },
    ]),
  )
  return quantizeProducts(moveRoot(decoder, weightsFolder), quantized)
}

/** Names the weights of other folders relative to another root. */
function moveRoot(decoder: DecoderGraph, weightsFolder: string): DecoderGraph {
  const model = cloneModel(decoder.model)
  for (const tensor of initializersDeep(model.graph!)) {
    if (tensor.dataLocation !== DataLocation.EXTERNAL) continue
    const { location, offsetBytes, sizeBytes } = getExternalData(tensor)
    const moved = relative(weightsFolder, join(decoder.weightsFolder, location))
    setExternalData(tensor, { location: moved, offsetBytes, sizeBytes: sizeBytes! })
  }
  return { ...decoder, model, weightsFolder }
}

async function identifyMatrices(matrices: WeightMatrix[]): Promise<string> {
  const hash = createHash('sha256').update(FORMAT)
  for (const file of new Set(matrices.map(({ file }) => file))) {
    const { size, mtimeMs } = await stat(file)
    hash.update(JSON.stringify([file, size, mtimeMs]))
  }
  for (const { file, ...matrix } of matrices) hash.update(JSON.stringify(matrix))
  return hash.digest('hex').slice(0, 32)
}

type Place = Omit<QuantizedMatrix['values'], 'location'>
type Places = Map<string, { values: Place; scales: Place }>

function layOut(matrices: WeightMatrix[]): { places: Places; sizeBytes: number } {
  let end = 0
  const place = (sizeBytes: number): Place => {
    const offsetBytes = Math.ceil(end / ALIGNMENT) * ALIGNMENT
    end = offsetBytes + sizeBytes
    return { offsetBytes, sizeBytes }
  }
  const places: Places = new Map(
    matrices.map(({ name, inputs, outputs }) => [
      name,
      { values: place(inputs * outputs), scales: place(outputs * Float32Array.BYTES_PER_ELEMENT) },
    ]),
  )
  return { places, sizeBytes: end }
}

async function hasSize(path: string, sizeBytes: number): Promise<boolean> {
  return stat(path).then(
    ({ size }) => size === sizeBytes,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
}

async function writeMatrices(
  path: string,
  matrices: WeightMatrix[],
  places: Places,
  { signal }: Int8Options,
): Promise<void> {
  const temporary = join(dirname(path), `.${randomBytes(8).toString('hex')}.tmp`)
  const write = <T>(action: () => Promise<T>) => explainFailure(path, action)
  const file = await write(() => open(temporary, 'wx'))
  try {
    try {
      for (const matrix of matrices) {
        signal?.throwIfAborted()
        const { values, scales } = quantizeMatrix(takeOutputs(await readMatrix(matrix), matrix), matrix)
        const place = places.get(matrix.name)!
        await write(() => writeAll(file, new Uint8Array(values.buffer), place.values.offsetBytes))
        await write(() => writeAll(file, new Uint8Array(scales.buffer), place.scales.offsetBytes))
      }
      await write(() => file.sync())
    } finally {
      await file.close()
    }
    await write(() => rename(temporary, path))
  } finally {
    await rm(temporary, { force: true })
  }
}

async function readMatrix({ file, offsetBytes, sizeBytes, dataType }: WeightMatrix): Promise<Float32Array> {
  const bytes = new Uint8Array(sizeBytes)
  const handle = await open(file)
  try {
    for (let read = 0; read < sizeBytes; ) {
      const { bytesRead } = await handle.read(bytes, read, sizeBytes - read, offsetBytes + read)
      if (bytesRead === 0) throw new LayerpruneError(`${file} ends before byte ${offsetBytes + sizeBytes}`)
      read += bytesRead
    }
  } finally {
    await handle.close()
  }
  return decodeFloats(bytes, FLOAT_DTYPES.get(dataType)!)
}

/** Of the numbers of a stored matrix those of the outputs that are taken, laid out as they were. */
function takeOutputs(stored: Float32Array, { part, inputs, outputs, byOutput }: WeightMatrix): Float32Array {
  if (part === null) return stored
  const taken = new Float32Array(inputs * outputs)
  let end = 0
  for (const [first, last] of part.taken) {
    if (byOutput) taken.set(stored.subarray(first * inputs, last * inputs), end * inputs)
    else {
      for (let input = 0; input < inputs; input++) {
        taken.set(stored.subarray(input * part.of + first, input * part.of + last), input * outputs + end)
      }
    }
    end += last - first
  }
  return taken
}

async function writeAll(file: FileHandle, bytes: Uint8Array, offsetBytes: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    written += (await file.write(bytes, written, bytes.length - written, offsetBytes + written)).bytesWritten
  }
}
