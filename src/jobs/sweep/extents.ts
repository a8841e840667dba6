import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Model } from '../../engine/model.js'
import { cutBlocks } from '../../model/graph/cut.js'
import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import { bitsOfWeight, countDims } from '../../model/graph/weight-sizes.js'
import type { Block } from '../../model/layers/block.js'
import type { Extent } from '../../results/documents/sweep-result.js'
import { countParameters } from '../run/parameters.js'

type Size = Pick<Extent, 'parameters' | 'bytes'>

/**
 * How large a model is without some of its layers, for each list of blocks.
 * @param model  as it is stored: not prepared to run
 * @throws as `cutBlocks`
 */
export async function measureSizes(model: Model, cuts: Block[][]): Promise<Size[]> {
  const wholeBytes = await countFileBytes(model)
  const wholeWeights = countWeightBytes(model.decoder)
  return cuts.map((removed) => {
    const decoder = removed.length === 0 ? model.decoder : cutBlocks(model.decoder, removed)
    const parameters = Object.values(countParameters(decoder)).reduce((sum, count) => sum + count, 0)
    return { parameters, bytes: wholeBytes - (wholeWeights - countWeightBytes(decoder)) }
  })
}

/** Bytes of the files with the weights, which may hold more than the decoder. */
async function countFileBytes({ folder, file, format, weightFiles }: Model): Promise<number> {
  const files = format === 'onnx' ? [join(folder, file), ...weightFiles] : weightFiles
  const sizes = await Promise.all([...new Set(files)].map(async (path) => (await stat(path)).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

function countWeightBytes({ model }: DecoderGraph): number {
  const bits = model.graph.initializer.map((tensor) => (bitsOfWeight(tensor) ?? 0) * countDims(tensor))
  return bits.reduce((sum, value) => sum + value, 0) / 8
}
