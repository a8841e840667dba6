import { createHash, randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { hashFiles } from '../checkpoint/hash-files.js'
import { LayerpruneError } from '../errors.js'
import { formatSize } from '../format-numbers.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import { commonFolder, getExternalData, initializersDeep, setExternalData } from '../graph/external-data.js'
import { cloneModel, DataLocation, DataType, makeFloatTensor } from '../graph/onnx.js'
import {
  blockRotation,
  makeExternalTensor,
  type QuantizedMatrix,
  quantizeProducts,
} from '../graph/quantize-products.js'
import { ROTATION, type RotatedDecoder, rotateStream } from '../graph/rotate-stream.js'
import { indexGraph } from '../graph/topology.js'
import { findAttentionMatrices, findGatedMlps, findWeightProducts } from '../graph/weight-products.js'
import { explainFailure } from '../write-files.js'
import { makeMatrices } from './make-matrices.js'
import type { Balance, PlannedMatrix } from './make-matrix.js'
import { Rotation } from './rotation.js'

/** Changes whenever other bytes are written for the same weights. */
const FORMAT = 'layerprune int8 8'

const ALIGNMENT = 64

export interface Int8Options {
  /** Where the matrices in 8 bits are kept for the next run. */
  cacheFolder: string
  signal?: AbortSignal | undefined
  onNote?: ((message: string) => void) | undefined
}

/** A matrix as it shall be in 8 bits, and how tokens are multiplied with it. */
type Plan = PlannedMatrix & Pick<QuantizedMatrix, 'keepsTokenRests'>

/** Inputs that are rotated together where the stream is not: a larger block costs more than it gains. */
const LARGEST_BLOCK = 64

/**
 * A decoder whose weight matrices are multiplied in 8 bits: made once, one matrix after the other, and kept in a file
 * that is known by the hashes of the files that they come from.
 *
 * A few channels of a token are far larger than the others, which then have few of the 255 steps left: SmolLM2's
 * distances move by 0.003 if tokens are rounded as they are. So the residual stream is rotated where the family allows,
 * and what else is read is rotated in blocks on its way; where it does not, what rounding leaves over of a token is
 * multiplied too. What attention has mixed is even enough as it is. The weights that values are made with keep their
 * rests: attention averages values over many tokens, in which the errors of tokens vanish and those of weights do not.
 * @returns a new graph; the given one is not changed
 * @throws LayerpruneError where the decoder has no such matrix, or the file cannot be written
 */
export async function quantizeDecoder(decoder: DecoderGraph, options: Int8Options): Promise<DecoderGraph> {
  const { cacheFolder, signal, onNote } = options
  const rotated = rotateStream(decoder)
  const source = rotated?.decoder ?? decoder
  const plans = planMatrices(source, rotated)
  if (plans.length === 0) throw new LayerpruneError('the model has no weight matrix that can be made int8')
  await explainFailure(cacheFolder, () => mkdir(cacheFolder, { recursive: true }))
  const folder = await realpath(cacheFolder)
  const path = join(folder, `${await identifyMatrices(plans, folder, signal)}.int8`)
  const layout = layOut(plans, rotated?.hiddenSize ?? null)
  if (!(await hasSize(path, layout.sizeBytes))) {
    onNote?.(`making ${formatSize(layout.sizeBytes)} of int8 weights, once: ${path}`)
    await writeMatrices(path, plans, layout, options)
  }
  const weightsFolder = commonFolder([source.weightsFolder, folder])!
  const locate = (place: Place) => ({ ...place, location: relative(weightsFolder, path) })
  const quantized = new Map(
    plans.map(({ name, keepsTokenRests, block }): [string, QuantizedMatrix] => {
      const { values, rests, scales } = layout.matrices.get(name)!
      const places = { values: locate(values), rests: rests && locate(rests), scales: locate(scales) }
      return [name, { ...places, keepsTokenRests, block }]
    }),
  )
  const result = quantizeProducts(moveRoot(source, weightsFolder), quantized)
  if (layout.rotation !== null) {
    const { place, size } = layout.rotation
    const tensor = makeExternalTensor(ROTATION, DataType.FLOAT, [size, size], locate(place))
    result.model.graph!.initializer.push(tensor)
  }
  for (const block of new Set(plans.flatMap(({ block }) => block ?? []))) {
    const rotation = makeFloatTensor(blockRotation(block), [block, block], new Rotation(block).matrix())
    result.model.graph!.initializer.push(rotation)
  }
  return result
}

function planMatrices(decoder: DecoderGraph, rotated: RotatedDecoder | null): Plan[] {
  const topology = indexGraph(decoder.model.graph!)
  const products = findWeightProducts(decoder, topology)
  const { values, outputs } = findAttentionMatrices(products, topology)
  const turnOf = (name: string) => rotated?.turns.get(name) ?? null
  const balances = new Map(
    findGatedMlps(products, topology).flatMap((mlp): [string, Balance][] => {
      const balance = { ...mlp, turn: turnOf(mlp.up.name) }
      return [
        [mlp.up.name, { ...balance, side: 'up' }],
        [mlp.down.name, { ...balance, side: 'down' }],
      ]
    }),
  )
  const plans = products.map(({ matrix }): [string, Plan] => {
    const { name } = matrix
    const turn = turnOf(name)
    const balance = balances.get(name) ?? null
    const keepsRests = values.has(name)
    const isSpread = turn?.side === 'inputs' || outputs.has(name)
    const block = rotated === null || isSpread ? null : Math.min(LARGEST_BLOCK, powerOfTwoIn(matrix.inputs))
    return [name, { ...matrix, turn, balance, block, keepsRests, keepsTokenRests: rotated === null }]
  })
  return [...new Map(plans).values()]
}

/** The largest power of two that divides a number. */
function powerOfTwoIn(number: number): number {
  return number & -number
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

/** Names what is made of some matrices, wherever their files lie. */
async function identifyMatrices(plans: Plan[], folder: string, signal?: AbortSignal): Promise<string> {
  const files = plans.flatMap(({ file, turn }) => {
    const norm = turn?.side === 'inputs' ? turn.norm.stored : null
    return norm === null ? [file] : [file, norm.file]
  })
  const hashes: Map<unknown, string> = await hashFiles(files, { folder, signal })
  const described = JSON.stringify(plans, (key, value) => (key === 'file' ? hashes.get(value) : value))
  return createHash('sha256').update(FORMAT).update(described).digest('hex').slice(0, 32)
}

type Place = Omit<QuantizedMatrix['values'], 'location'>

/** What lies where in the file. */
interface Layout {
  matrices: Map<string, { values: Place; rests: Place | null; scales: Place }>
  rotation: { place: Place; size: number } | null
  sizeBytes: number
}

/** @param rotationSize width of the rotated stream; null where none is rotated */
function layOut(plans: Plan[], rotationSize: number | null): Layout {
  let end = 0
  const place = (sizeBytes: number): Place => {
    const offsetBytes = Math.ceil(end / ALIGNMENT) * ALIGNMENT
    end = offsetBytes + sizeBytes
    return { offsetBytes, sizeBytes }
  }
  const ofFloats = (count: number) => place(count * Float32Array.BYTES_PER_ELEMENT)
  const matrices: Layout['matrices'] = new Map(
    plans.map(({ name, inputs, outputs, keepsRests }) => {
      const values = place(inputs * outputs)
      const rests = keepsRests ? place(inputs * outputs) : null
      return [name, { values, rests, scales: ofFloats(outputs) }]
    }),
  )
  const rotation = rotationSize === null ? null : { place: ofFloats(rotationSize ** 2), size: rotationSize }
  return { matrices, rotation, sizeBytes: end }
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
  plans: Plan[],
  { matrices, rotation }: Layout,
  { signal }: Int8Options,
): Promise<void> {
  const temporary = join(dirname(path), `.${randomBytes(8).toString('hex')}.tmp`)
  const write = <T>(action: () => Promise<T>) => explainFailure(path, action)
  const file = await write(() => open(temporary, 'wx'))
  const put = ({ buffer }: { buffer: ArrayBuffer }, { offsetBytes }: Place) =>
    write(() => writeAll(file, new Uint8Array(buffer), offsetBytes))
  try {
    try {
      for await (const { matrix, made } of makeMatrices(plans, rotation?.size ?? null, signal)) {
        const places = matrices.get(matrix.name)!
        await put(made.values, places.values)
        await put(made.scales, places.scales)
        if (made.rests !== null) await put(made.rests, places.rests!)
      }
      if (rotation !== null) await put(new Rotation(rotation.size).matrix(), rotation.place)
      await write(() => file.sync())
    } finally {
      await file.close()
    }
    await write(() => rename(temporary, path))
  } finally {
    await rm(temporary, { force: true })
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, offsetBytes: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    written += (await file.write(bytes, written, bytes.length - written, offsetBytes + written)).bytesWritten
  }
}
