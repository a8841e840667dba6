import { realpath, statfs } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { removeAbandoned } from '../../base/abandoned-files.js'
import { LayerpruneError } from '../../base/errors.js'
import { formatSize } from '../../base/format-numbers.js'
import type { ProgressOptions } from '../../base/progress.js'
import { makeFolder, OTHER_CACHE } from '../../base/write-files.js'
import type { TensorLocation } from '../../files/checkpoint/safetensors.js'
import { assertFiniteWeights } from '../../model/graph/checks/finite-weights.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { blockRotation, type QuantizedMatrix, quantizeProducts } from '../../model/graph/int8/quantize-products.js'
import {
  findGatedMlps,
  findRateNodes,
  findValueMatrices,
  findWeightProducts,
  type WeightProduct,
} from '../../model/graph/int8/weight-products.js'
import {
  commonFolder,
  getExternalData,
  initializersDeep,
  setExternalData,
} from '../../model/graph/onnx/external-data.js'
import { cloneModel, DataLocation, makeFloatTensor } from '../../model/graph/onnx/onnx.js'
import { indexGraph } from '../../model/graph/onnx/topology.js'
import { findValueMixes } from '../../model/graph/value-mixes.js'
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
type Plan = PlannedMatrix & Pick<QuantizedMatrix, 'keepsTokenResiduals' | 'comesRotated'>

/** Tokens are rotated in blocks of at most this size: larger ones cost more than they gain. */
const LARGEST_BLOCK = 32

/** Largest block for means of values, which the weights rotate at no cost. */
const LARGEST_MIX_BLOCK = 64

/** Blocks of this size are cheap, however few outputs are computed from the tokens. */
const CHEAP_BLOCK = 16

/** Outputs that pay for one more channel in a block. */
const OUTPUTS_PER_CHANNEL = 64

/** Smaller blocks leave tokens so uneven that their residuals are kept. */
const LEAST_BLOCK = 8

/**
 * A decoder whose weight matrices are multiplied in int8. They are made once and kept in a file that is identified by
 * the hashes of its source files and of its own content.
 *
 * A few channels of a token are far larger than the others, which leaves few of the 255 steps for those: SmolLM2's
 * distances move by 0.003 if tokens are rounded as they are. So tokens are rotated in blocks of channels before that, by
 * an orthogonal matrix that the weights absorb (Ashkboos et al. 2024, arXiv 2404.00456, rotate the whole residual
 * stream; behind the weights of its norms, which are small where its channels are large, blocks are enough, and every
 * family allows them). What attention returns is rotated by the matrix of its values. The weights of that matrix keep
 * their residuals: attention averages values over many tokens, which cancels the errors of tokens but not those of
 * weights. Rates of linear attention, whose errors add up over tokens, keep the residuals of both.
 * @returns a new graph; the given one is not changed
 * @throws LayerpruneError if the decoder has no such matrix, a weight is not finite, or the file cannot be written
 */
export async function quantizeDecoder(decoder: DecoderGraph, options: Int8Options): Promise<DecoderGraph> {
  const { plans, layout } = planInt8(decoder)
  return writeGraph(decoder, plans, layout, await provideFile(decoder, plans, layout, options))
}

/** The graph that `quantizeDecoder` returns, for callers that only inspect it: its matrices are not made. */
export function describeQuantized(decoder: DecoderGraph): DecoderGraph {
  const { plans, layout } = planInt8(decoder)
  return writeGraph(decoder, plans, layout, join(decoder.weightsFolder, 'not-made.int8'))
}

function planInt8(decoder: DecoderGraph): { plans: Plan[]; layout: Layout } {
  const plans = planMatrices(decoder)
  if (plans.length === 0) throw new LayerpruneError('the model has no weight matrix that can be made int8')
  return { plans, layout: layOut(plans) }
}

/** @returns path of the file of the matrices, which is made if there is none yet */
async function provideFile(
  decoder: DecoderGraph,
  plans: Plan[],
  layout: Layout,
  { cacheFolder, tensors, signal, onNote, onProgress }: Int8Options,
): Promise<string> {
  await makeFolder(cacheFolder, OTHER_CACHE)
  const folder = await realpath(cacheFolder)
  await removeAbandoned(folder, (name) => /^\..*\.tmp$/.test(name))
  const identity = await identifyMatrices(plans, folder, { signal, onProgress })
  const known = await findInt8File(folder, identity, { signal, onProgress })
  if (known !== null) return known
  await assertFiniteWeights(decoder, { tensors, signal, onProgress })
  await assertRoom(folder, layout.sizeBytes)
  onNote?.(`making ${formatSize(layout.sizeBytes)} of int8 weights, once, in ${folder}`)
  return writeInt8File(folder, identity, plans, layout, { signal, onProgress })
}

async function assertRoom(folder: string, sizeBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize >= sizeBytes) return
  throw new LayerpruneError(
    `not enough room for int8 weights: ${sizeBytes} bytes will be written, ${bavail * bsize} are free at ${folder}`,
    { hint: OTHER_CACHE.full },
  )
}

/** @param path of the file of the matrices */
function writeGraph(source: DecoderGraph, plans: Plan[], layout: Layout, path: string): DecoderGraph {
  const weightsFolder = commonFolder([source.weightsFolder, dirname(path)])!
  const locate = (place: Place) => ({ ...place, location: relative(weightsFolder, path) })
  const quantized = new Map(
    plans.map(({ name, keepsTokenResiduals, block, comesRotated }): [string, QuantizedMatrix] => {
      const { values, residuals, scales } = layout.matrices.get(name)!
      const places = {
        values: locate(values),
        residuals: residuals && locate(residuals),
        scales: locate(scales),
      }
      return [name, { ...places, keepsTokenResiduals, block, comesRotated }]
    }),
  )
  const result = quantizeProducts(moveRoot(source, weightsFolder), quantized)
  for (const block of new Set(plans.map(({ block }) => block))) {
    const rotation = makeFloatTensor(blockRotation(block), [block, block], new Rotation(block).matrix())
    result.model.graph.initializer.push(rotation)
  }
  return { ...result, int8: 'made' }
}

function planMatrices(decoder: DecoderGraph): Plan[] {
  const topology = indexGraph(decoder.model.graph)
  const products = findWeightProducts(decoder, topology)
  const values = findValueMatrices(products, topology)
  const smoothings = new Map(
    findGatedMlps(products, topology).flatMap((mlp): [string, Smoothing][] => [
      [mlp.up.name, { ...mlp, side: 'up' }],
      [mlp.down.name, { ...mlp, side: 'down' }],
    ]),
  )
  const { values: rotatedValues, readers: rotatedReaders } = chooseMixBlocks(decoder, products)
  const rates = findRateNodes(topology)
  const readings = new Map<string, number>()
  for (const { node, matrix } of products) {
    const input = node.input[0]!
    readings.set(input, (readings.get(input) ?? 0) + matrix.outputs)
  }
  const plans = products.map(({ node, matrix }): [string, Plan] => {
    const { name } = matrix
    const isRate = rates.has(topology.producer.get(node.output[0]!)!)
    const comesIn = rotatedReaders.get(name)
    const block = comesIn ?? chooseBlock(matrix.inputs, readings.get(node.input[0]!)!)
    return [
      name,
      {
        ...matrix,
        smoothing: smoothings.get(name) ?? null,
        block,
        comesRotated: comesIn !== undefined,
        outputBlock: rotatedValues.get(name) ?? null,
        keepsResiduals: isRate || values.has(name),
        keepsTokenResiduals: isRate || block < LEAST_BLOCK,
      },
    ]
  })
  return [...new Map(plans).values()]
}

/** Size of the blocks in which tokens are rotated: divides their width; a larger one costs more per output. */
function chooseBlock(width: number, outputs: number): number {
  const limit = Math.min(Math.max(CHEAP_BLOCK, outputs / OUTPUTS_PER_CHANNEL), LARGEST_BLOCK)
  return largestBlock(width, limit)
}

function largestBlock(width: number, limit: number): number {
  let block = Math.min(width, Math.floor(limit))
  while (width % block !== 0) block--
  return block
}

/** Sizes of the blocks for rotated attention values, and of those for the matrices that read the means, by name. */
function chooseMixBlocks(
  { model }: DecoderGraph,
  products: WeightProduct[],
): Record<'values' | 'readers', Map<string, number>> {
  const values = new Map<string, number>()
  const readers = new Map<string, number>()
  for (const mix of findValueMixes(model.graph, products)) {
    const block = largestBlock(mix.unit, LARGEST_MIX_BLOCK)
    if (block < LEAST_BLOCK) continue
    values.set(mix.values, block)
    for (const name of mix.readers) readers.set(name, block)
  }
  return { values, readers }
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
