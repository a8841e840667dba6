import type { Model } from '../../engine/model.js'
import { tooLittleMemory } from '../../engine/sessions/too-little-memory.js'
import type { Block } from '../../model/layers/block.js'
import { type EncodedText, longestOf } from '../../texts/tokens/windows.js'
import { countGroups } from './fit-graph.js'
import { findRepairs } from './repair-cuts.js'
import type { RepairLayers } from './repair-layers.js'

/** Paths through the model that are measured: whole, cut and repaired. */
const PATHS = 3
/** Symmetric matrices in float64 that are held at a time: of fitted and held-out texts, and a factor. */
const MATRICES = 3
/** Matrices of features by hidden size in float64, of moments and of a solution on its way into the weights. */
const SOLUTIONS = 6
/** Sessions that hold the layer that is fitted, besides the whole model's. */
const FIT_SESSIONS = 2
/** Copies of the features of a batch: plain, weighted, transposed and in blocks. */
const FEATURE_COPIES = 5

/**
 * Limits what a repair holds at a time: one layer of the whole model, and as many states as there is room for besides.
 * @param batches  of all texts
 * @returns bytes that states may take
 * @throws LayerpruneError if the memory is too little, with the least that would do
 */
export function limitRepairMemory(
  model: Model,
  { layers, removed, batches }: { layers: RepairLayers; removed: Block[]; batches: EncodedText[][] },
  maxMemory: number,
): number {
  const takenBytes = process.memoryUsage.rss()
  const tokens = Math.max(...batches.map(longestOf))
  const texts = Math.max(...batches.map(({ length }) => length))
  const memory = layers.pieces.measureMemory()
  const run = { texts, tokens, paths: PATHS }
  const besides = memory.countBesidesWeights(run)
  const layerBytes = memory.leastBytes(run) - besides
  const features = Math.max(
    ...findRepairs(model, removed).map(({ products }) => countGroups(products).reduce((sum, count) => sum + count, 0)),
  )
  const { hiddenSize } = model.config
  const { BYTES_PER_ELEMENT: float64 } = Float64Array
  const { BYTES_PER_ELEMENT: float32 } = Float32Array
  const equations = (MATRICES * float64 + float32) * (features ** 2 / 2) + SOLUTIONS * float64 * features * hiddenSize
  const ofBatch = FEATURE_COPIES * float32 * texts * tokens * features
  const leastBytes = takenBytes + besides + (1 + FIT_SESSIONS) * layerBytes + equations + ofBatch
  if (leastBytes > maxMemory) throw tooLittleMemory(leastBytes, { maxMemory, maxLength: tokens })
  layers.pieces.limitWeights(layerBytes, memory.headRows)
  return maxMemory - leastBytes
}
