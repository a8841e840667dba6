import { expect, it } from 'vitest'
import { createRandom } from '../../../src/base/random.js'
import { readModelConfig } from '../../../src/files/checkpoint/config.js'
import { openSafetensors } from '../../../src/files/checkpoint/safetensors.js'
import { buildDecoder } from '../../../src/model/builder/build-decoder.js'
import type { DecoderGraph } from '../../../src/model/graph/decoder-graph.js'
import { findValueMatrices, findWeightProducts } from '../../../src/model/graph/int8/weight-products.js'
import { indexGraph } from '../../../src/model/graph/onnx/topology.js'
import { fixtureFolder, listFixtures, measureBlocks, measureTexts, readReference } from '../../support/fixture-model.js'
import { largestDifference } from '../../support/largest-difference.js'
import { LONG_TESTS } from '../../support/long-tests.js'

const LONGEST = 2048

async function build(name: string, options: { longest?: number; trees?: boolean }) {
  const folder = fixtureFolder(name)
  const config = await readModelConfig(folder)
  return { config, decoder: buildDecoder(config, await openSafetensors(folder), options) }
}

function countFused({ model }: DecoderGraph): number {
  return model.graph.node.filter(({ opType }) => opType === 'GroupQueryAttention').length
}

/** Layers of three that are one node: those without windows, chunks, sinks, caps, biases and values of another size. */
const FUSED_LAYERS: Record<string, number> = {
  llama: 3,
  gemma3: 1,
  'gemma4-e2b': 3,
  llama4: 2,
  'nemotron-h': 1,
  gemma2: 0,
  bloom: 0,
  'deepseek-v3': 0,
  diffllama: 0,
  'gpt-oss': 0,
  'mistral-window': 0,
}

it.each(Object.entries(FUSED_LAYERS))('%s has %i layers of attention in one node', async (name, layers) => {
  expect(countFused((await build(name, { longest: LONGEST })).decoder)).toBe(layers)
})

/** Both in one decoder, chunks, shared keys, a bias by position, sinks, a window. */
const SAMPLED = ['gemma3', 'llama4', 'gemma4-e2b', 'bloom', 'gpt-oss', 'mistral-window']

it.each(LONG_TESTS ? listFixtures() : SAMPLED)(
  '%s gives the same distances when it is written for long texts',
  async (name) => {
    const [usual, long] = await Promise.all(
      [{}, { longest: LONGEST }].map(async (options) => measureBlocks(await build(name, options), name)),
    )
    expect(largestDifference(long!, usual!)).toBeLessThan(1e-7)
  },
)

it('gives the same distances over long texts, and short ones beside them', async () => {
  const random = createRandom(3)
  const known = readReference(fixtureFolder('llama')).texts.flat()
  const texts = [1100, 300, 1].map((length) => Array.from({ length }, () => known[random.below(known.length)]!))
  const [usual, long] = await Promise.all(
    [{}, { longest: LONGEST }].map(async (options) => measureTexts(await build('llama', options), texts, 'llama')),
  )
  expect(largestDifference(long!, usual!)).toBeLessThan(1e-7)
})

it('writes spans for texts of up to 1,024 tokens and for prefix trees', async () => {
  expect(countFused((await build('llama', { longest: 1024 })).decoder)).toBe(0)
  expect(countFused((await build('llama', { longest: LONGEST, trees: true })).decoder)).toBe(0)
})

it('finds the matrices that make values for attention in one node', async () => {
  const [usual, long] = await Promise.all(
    [{}, { longest: LONGEST }].map(async (options) => {
      const { decoder } = await build('llama', options)
      const topology = indexGraph(decoder.model.graph)
      return findValueMatrices(findWeightProducts(decoder, topology), topology)
    }),
  )
  expect(long).toEqual(usual)
  expect(long!.size).toBe(3)
})
