import { realpath } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { removeAbandoned } from '../abandoned-files.js'
import type { TensorLocation } from '../checkpoint/safetensors.js'
import { LayerpruneError } from '../errors.js'
import { formatSize } from '../format-numbers.js'
import type { DecoderGraph } from '../graph/decoder-graph.js'
import { commonFolder, getExternalData, initializersDeep, setExternalData } from '../graph/external-data.js'
import { assertFiniteWeights } from '../graph/finite-weights.js'
import { cloneModel, DataLocation, DataType, makeFloatTensor } from '../graph/onnx.js'
import {
  blockRotation,
  makeExternalTensor,
  type QuantizedMatrix,
  quantizeProducts,
} from '../graph/quantize-products.js'
import { findRateNodes } from '../graph/rate-nodes.js'
import { ROTATION, type RotatedDecoder, rotateStream } from '../graph/rotate-stream.js'
import { indexGraph } from '../graph/topology.js'
import { findAttentionMatrices, findGatedMlps, findWeightProducts } from '../graph/weight-products.js'
import type { ProgressOptions } from '../progress.js'
import { makeFolder } from '../write-files.js'
import { findInt8File, identifyMatrices, writeInt8File } from './int8-file.js'
import { type Layout, layOut, type Place } from './layout.js'
import type { PlannedMatrix, Smoothing } from './make-matrix.js'
import { Rotation } from './rotation.js'

export interface Int8Options extends ProgressOptions {
  /** Where the int8 matrices are kept for the next run. */
  cacheFolder: string
  /** The tensors that the weights are stored in, for messages. */
  tensors: ReadonlyMap<string, TensorLocation> | undefined
  signal?: AbortSignal | undefined
  onNote?: ((message: string) => void) | undefined
}

/** A planned int8 matrix, and how tokens are multiplied by it. */
type Plan = PlannedMatrix & Pick<QuantizedMatrix, 'keepsTokenResiduals'>

/** Inputs outside the residual stream are rotated in blocks of at most this size: larger ones cost more than they gain. */
const LARGEST_BLOCK = 64

/**
 * A decoder whose weight matrices are multiplied in int8. They are made once and kept in a file that is identified by
 * the hashes of its source files and of its own content.
 *
 * A few channels of a token are far larger than the others, which leaves few of the 255 steps for those: SmolLM2's
 * distances move by 0.003 if tokens are rounded as they are. So if the family allows, the residual stream is rotated,
 * and other inputs are rotated in blocks. If it does not, the residuals of tokens are multiplied too. The outputs of
 * attention are even enough as they are. The weights of the value projection keep their residuals: attention averages
 * values over many tokens, which cancels the errors of tokens but not those of weights. Rates of linear attention, whose
 * errors add up over tokens, keep the residuals of both.
 * @returns a new graph; the given one is not changed
 * @throws LayerpruneError if the decoder has no such matrix, a weight is not finite, or the file cannot be written
 */
export async function quantizeDecoder(decoder: DecoderGraph, options: Int8Options): Promise<DecoderGraph> {
  const { plans, layout, source } = planInt8(decoder)
  return writeGraph(source, plans, layout, await provideFile(decoder, plans, layout, options))
}

/** The graph that `quantizeDecoder` returns, for callers that only inspect it: its matrices are not made. */
export function describeQuantized(decoder: DecoderGraph): DecoderGraph {
  const { plans, layout, source } = planInt8(decoder)
  return writeGraph(source, plans, layout, join(source.weightsFolder, 'not-made.int8'))
}

function planInt8(decoder: DecoderGraph): { plans: Plan[]; layout: Layout; source: DecoderGraph } {
  const rotated = rotateStream(decoder)
  const source = rotated?.decoder ?? decoder
  const plans = planMatrices(source, rotated)
  if (plans.length === 0) throw new LayerpruneError('the model has no weight matrix that can be made int8')
  return { plans, layout: layOut(plans, rotated?.hiddenSize ?? null), source }
}

/** @returns path of the file of the matrices, which is made if there is none yet */
async function provideFile(
  decoder: DecoderGraph,
  plans: Plan[],
  layout: Layout,
  { cacheFolder, tensors, signal, onNote, onProgress }: Int8Options,
): Promise<string> {
  await makeFolder(cacheFolder)
  const folder = await realpath(cacheFolder)
  await removeAbandoned(folder, (name) => /^\..*\.tmp$/.test(name))
  const identity = await identifyMatrices(plans, folder, { signal, onProgress })
  const known = await findInt8File(folder, identity, { signal, onProgress })
  if (known !== null) return known
  await assertFiniteWeights(decoder, { tensors, signal, onProgress })
  onNote?.(`making ${formatSize(layout.sizeBytes)} of int8 weights, once, in ${folder}`)
  return writeInt8File(folder, identity, plans, layout, { signal, onProgress })
}

/** @param path of the file of the matrices */
function writeGraph(source: DecoderGraph, plans: Plan[], layout: Layout, path: string): DecoderGraph {
  const weightsFolder = commonFolder([source.weightsFolder, dirname(path)])!
  const locate = (place: Place) => ({ ...place, location: relative(weightsFolder, path) })
  const quantized = new Map(
    plans.map(({ name, keepsTokenResiduals, block }): [string, QuantizedMatrix] => {
      const { values, residuals, scales } = layout.matrices.get(name)!
      const places = {
        values: locate(values),
        residuals: residuals && locate(residuals),
        scales: locate(scales),
      }
      return [name, { ...places, keepsTokenResiduals, block }]
    }),
  )
  const result = quantizeProducts(moveRoot(source, weightsFolder), quantized)
  if (layout.rotation !== null) {
    const { place, size } = layout.rotation
    const tensor = makeExternalTensor(ROTATION, DataType.FLOAT, [size, size], locate(place))
    result.model.graph.initializer.push(tensor)
  }
  for (const block of new Set(plans.flatMap(({ block }) => block ?? []))) {
    const rotation = makeFloatTensor(blockRotation(block), [block, block], new Rotation(block).matrix())
    result.model.graph.initializer.push(rotation)
  }
  return { ...result, int8: 'made' }
}

function planMatrices(decoder: DecoderGraph, rotated: RotatedDecoder | null): Plan[] {
  const topology = indexGraph(decoder.model.graph)
  const products = findWeightProducts(decoder, topology)
  const { values, outputs } = findAttentionMatrices(products, topology)
  const rotationOf = (name: string) => rotated?.rotations.get(name) ?? null
  const smoothings = new Map(
    findGatedMlps(products, topology).flatMap((mlp): [string, Smoothing][] => {
      const smoothing = { ...mlp, streamRotation: rotationOf(mlp.up.name) }
      return [
        [mlp.up.name, { ...smoothing, side: 'up' }],
        [mlp.down.name, { ...smoothing, side: 'down' }],
      ]
    }),
  )
  const rates = findRateNodes(topology)
  const plans = products.map(({ node, matrix }): [string, Plan] => {
    const { name } = matrix
    const isRate = rates.has(topology.producer.get(node.output[0]!)!)
    const streamRotation = rotationOf(name)
    const smoothing = smoothings.get(name) ?? null
    const keepsResiduals = isRate || values.has(name)
    const keepsTokenResiduals = isRate || rotated === null
    const isSpread = streamRotation?.side === 'inputs' || outputs.has(name)
    const block = rotated === null || isSpread ? null : Math.min(LARGEST_BLOCK, powerOfTwoIn(matrix.inputs))
    return [name, { ...matrix, streamRotation, smoothing, block, keepsResiduals, keepsTokenResiduals }]
  })
  return [...new Map(plans).values()]
}

/** The largest power of two that divides a number. */
function powerOfTwoIn(number: number): number {
  return number & -number
}

/** Rewrites the locations of weights relative to another root. */
function moveRoot(decoder: DecoderGraph, weightsFolder: string): DecoderGraph {
  const model = cloneModel(decoder.model)
  for (const tensor of initializersDeep(model.graph)) {
    if (tensor.dataLocation !== DataLocation.EXTERNAL || decoder.packed?.has(tensor.name)) continue
    const { location, offsetBytes, sizeBytes } = getExternalData(tensor)
    const moved = relative(weightsFolder, join(decoder.weightsFolder, location))
    setExternalData(tensor, { location: moved, offsetBytes, sizeBytes: sizeBytes! })
  }
  return { ...decoder, model, weightsFolder }
}
