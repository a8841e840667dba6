import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as ort from 'onnxruntime-node'
import { describe, expect, it } from 'vitest'
import { openRunner } from '../../../src/engine/sessions/graph-runner.js'
import { type ModelConfig, readModelConfig } from '../../../src/files/checkpoint/config.js'
import { openSafetensors, type SafetensorsCheckpoint } from '../../../src/files/checkpoint/safetensors.js'
import { readTensor } from '../../../src/files/weights/read-tensor.js'
import { buildDecoder } from '../../../src/model/builder/build-decoder.js'
import { addAdapters } from '../../../src/model/gradient/adapters.js'
import { feedWeights } from '../../../src/model/gradient/fed-weights.js'
import { joinTeacher } from '../../../src/model/gradient/join-teacher.js'
import { LOSS_OUTPUT, TARGETS_INPUT, WEIGHTS_INPUT } from '../../../src/model/gradient/loss.js'
import { gradientName, type TrainedWeight } from '../../../src/model/gradient/trained.js'
import {
  GRADIENT_INPUT,
  GRADIENT_OUTPUT,
  takeBackwardGraph,
  takeLossGraph,
} from '../../../src/model/gradient/training-graph.js'
import type { DecoderGraph } from '../../../src/model/graph/decoder-graph.js'
import type { NodeProto } from '../../../src/model/graph/onnx/onnx.js'
import { STATE_INPUT, takeSegment } from '../../../src/model/graph/segment.js'
import { fixtureFolder, ONE_THREAD } from '../../support/fixture-model.js'
import { LONG_TESTS } from '../../support/long-tests.js'
import { FIXTURES } from '../../support/paths.js'

/** What PyTorch gives, by make-gradients.py: of each gradient its Euclidean norm, then numbers at even distances. */
interface Reference {
  loss: number
  full: Record<string, number[]>
  adaptedLoss: number
  adapters: Record<string, [into: number[], back: number[]]>
}

const REFERENCES: Record<string, Reference> = JSON.parse(readFileSync(join(FIXTURES, 'gradients.json'), 'utf8'))
const TEXTS = [
  [5, 17, 33, 8, 41, 29, 3, 12, 50, 7, 22, 60, 13, 2],
  [9, 2, 44, 31, 6, 6, 18, 90, 77, 4, 25, 63, 11, 40],
]
const TOKENS = TEXTS[0]!.length
const TOLERANCE = 1e-4
const SHORT_FORM = ['gemma2', 'gpt2', 'phi3', 'bloom']
const names = Object.keys(REFERENCES).filter((name) => LONG_TESTS || SHORT_FORM.includes(name))

type Feeds = Record<string, ort.Tensor>

async function runGraph(graph: DecoderGraph, config: ModelConfig, feeds: Feeds) {
  const names = new Set(graph.model.graph.input.map(({ name }) => name))
  const own = Object.fromEntries(Object.entries(feeds).filter(([name]) => names.has(name)))
  const runner = await openRunner(graph, config, Object.keys(own), ONE_THREAD)
  const texts = TEXTS.map((ids) => ({ ids, origin: 'test' }))
  const outputs = await runner.run(runner.makeFeeds(texts, TOKENS, own))
  await runner.release()
  return outputs as Record<string, ort.TypedTensor<'float32'>>
}

/** The mean cross entropy of the tokens that follow. */
function lossFeeds(): Feeds {
  const targets = TEXTS.flatMap((ids) => [...ids.slice(1), 0].map(BigInt))
  const weight = 1 / TEXTS.flatMap((ids) => ids.slice(1)).length
  const weights = TEXTS.flatMap((ids) => ids.map((_, index) => (index < TOKENS - 1 ? weight : 0)))
  return {
    [TARGETS_INPUT]: new ort.Tensor('int64', BigInt64Array.from(targets), [targets.length, 1]),
    [WEIGHTS_INPUT]: new ort.Tensor('float32', Float32Array.from(weights), [weights.length, 1]),
  }
}

/** As in make-gradients.py, rank 2 and scale 1.5. */
const FORM = { rank: 2, alpha: 3 }

function wave({ shape }: TrainedWeight, of: (angle: number) => number): ort.Tensor {
  const count = shape[0]! * shape[1]!
  return new ort.Tensor(
    'float32',
    Float32Array.from({ length: count }, (_, index) => 0.3 * of(index + 1)),
    shape,
  )
}

/** Some gradients are zero but for rounding, as that of a bias which adds the same to all scores of a query. */
const SMALLEST_NORM = 1e-3

function expectGradient(found: ort.TypedTensor<'float32'>, [norm, ...samples]: number[], name: string) {
  const values = [...found.data]
  const own = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0))
  const size = Math.max(norm!, SMALLEST_NORM)
  expect(Math.abs(own - norm!) / size, `${name}: norm ${own}, expected ${norm}`).toBeLessThan(TOLERANCE)
  for (const [place, sample] of samples.entries()) {
    const value = values[Math.floor((place * values.length) / samples.length)]!
    expect(Math.abs(value - sample) / size, `${name}: ${value}, expected ${sample}`).toBeLessThan(TOLERANCE)
  }
}

const open = (name: string) => openFolder(fixtureFolder(name))

async function openFolder(folder: string) {
  const [config, checkpoint] = [await readModelConfig(folder), await openSafetensors(folder)]
  return { config, checkpoint, decoder: buildDecoder(config, checkpoint) }
}

function adapt(decoder: DecoderGraph, reference: Pick<Reference, 'adapters'>) {
  const adapted = addAdapters(decoder, Object.keys(reference.adapters), FORM)
  const feeds: Feeds = {}
  for (const { into, back } of adapted.adapters) {
    feeds[into.name] = wave(into, Math.cos)
    feeds[back.name] = wave(back, Math.sin)
  }
  return { ...adapted, feeds, trained: Object.keys(feeds) }
}

async function feedAll(decoder: DecoderGraph, checkpoint: SafetensorsCheckpoint, weights: string[]) {
  const fed = feedWeights(decoder, weights, checkpoint.tensors)
  const feeds: Feeds = {}
  for (const { name, shape } of fed.fed) {
    feeds[name] = new ort.Tensor('float32', await readTensor(checkpoint.tensors.get(name)!), shape)
  }
  return { ...fed, feeds }
}

describe.each(names)('%s', (name) => {
  const reference = REFERENCES[name]!

  it('gradients of adapters are those of PyTorch', async () => {
    const { config, decoder } = await open(name)
    const { decoder: adapted, adapters, feeds, trained } = adapt(decoder, reference)
    const graph = takeLossGraph(adapted, { trained, hiddenSize: config.hiddenSize })
    const outputs = await runGraph(graph, config, { ...feeds, ...lossFeeds() })
    expect(outputs[LOSS_OUTPUT]!.data[0]).toBeCloseTo(reference.adaptedLoss, 4)
    for (const { module, into, back } of adapters) {
      const [a, b] = reference.adapters[module]!
      expectGradient(outputs[gradientName(into.name)]!, a, into.name)
      expectGradient(outputs[gradientName(back.name)]!, b, back.name)
    }
  })

  it('gradients of whole weights are those of PyTorch', async () => {
    const { config, checkpoint, decoder } = await open(name)
    const weights = Object.keys(reference.full)
    const { decoder: trainable, feeds } = await feedAll(decoder, checkpoint, weights)
    const graph = takeLossGraph(trainable, { trained: weights, hiddenSize: config.hiddenSize })
    const outputs = await runGraph(graph, config, { ...feeds, ...lossFeeds() })
    expect(outputs[LOSS_OUTPUT]!.data[0]).toBeCloseTo(reference.loss, 4)
    for (const weight of weights) {
      expectGradient(outputs[gradientName(weight)]!, reference.full[weight]!, weight)
    }
  })
})

it('16-bit weights that are cast in each run give the same gradients', async () => {
  const { config, decoder } = await open('bloom')
  const reference = REFERENCES.bloom!
  const { decoder: adapted, adapters, feeds, trained } = adapt({ ...decoder, castsPerRun: true }, reference)
  const graph = takeLossGraph(adapted, { trained, hiddenSize: config.hiddenSize })
  expectOwnCasts(graph)
  const outputs = await runGraph(graph, config, { ...feeds, ...lossFeeds() })
  for (const { module, into, back } of adapters) {
    const [a, b] = reference.adapters[module]!
    expectGradient(outputs[gradientName(into.name)]!, a, into.name)
    expectGradient(outputs[gradientName(back.name)]!, b, back.name)
  }
})

/** No matrix of a layer that a gradient is multiplied by is kept in float32 from the product forward. */
function expectOwnCasts({ model: { graph } }: DecoderGraph) {
  const isOfGradient = ({ output }: NodeProto) => output[0]!.startsWith('gradient/')
  const read = (nodes: NodeProto[]) =>
    new Set(nodes.flatMap(({ input }) => input).filter((name) => /^layers.*Cast/.test(name)))
  const forward = read(graph.node.filter((node) => !isOfGradient(node)))
  const back = read(graph.node.filter((node) => node.opType === 'MatMul' && isOfGradient(node)))
  expect(back.size).toBeGreaterThan(0)
  expect([...back].filter((name) => forward.has(name))).toEqual([])
}

const EPSILON = 0.01

it.each(LONG_TESTS ? ['bnb-nf4', 'gptq'] : ['bnb-nf4'])(
  '%s: gradients are the slope of the loss of the decoded weights',
  async (form) => {
    const { config, decoder } = await openFolder(join(FIXTURES, 'packed', form))
    const modules = ['up_proj', 'down_proj'].map((name) => `model.layers.0.mlp.${name}`)
    const { decoder: adapted, feeds, trained } = adapt(decoder, { adapters: fromModules(modules) })
    const graph = takeLossGraph(adapted, { trained, hiddenSize: config.hiddenSize })
    const own = await runGraph(graph, config, { ...feeds, ...lossFeeds() })
    for (const name of trained) {
      const gradient = own[gradientName(name)]!
      const norm = Math.sqrt(gradient.data.reduce((sum, value) => sum + value ** 2, 0))
      const lossAt = async (step: number) => {
        const values = feeds[name]!.data as Float32Array
        const moved = values.map((value, index) => value + (step * gradient.data[index]!) / norm)
        const changed = { ...feeds, [name]: new ort.Tensor('float32', moved, gradient.dims) }
        return (await runGraph(graph, config, { ...changed, ...lossFeeds() }))[LOSS_OUTPUT]!.data[0]!
      }
      const slope = ((await lossAt(EPSILON)) - (await lossAt(-EPSILON))) / (2 * EPSILON)
      expect(slope / norm, name).toBeCloseTo(1, 2)
    }
  },
)

const fromModules = (modules: string[]): Reference['adapters'] =>
  Object.fromEntries(modules.map((module) => [module, [[], []]]))

it('segments give the gradients of the whole', async () => {
  const { config, decoder } = await open('llama')
  const reference = REFERENCES.llama!
  const { decoder: adapted, adapters, feeds, trained } = adapt(decoder, reference)
  const options = { trained, hiddenSize: config.hiddenSize }
  const state = Object.values(await runGraph(takeSegment(adapted, { to: 2 }), config, feeds))[0]!
  const end = await runGraph(takeLossGraph(adapted, { ...options, from: 2 }), config, {
    ...feeds,
    ...lossFeeds(),
    [STATE_INPUT]: state,
  })
  const start = await runGraph(takeBackwardGraph(adapted, { ...options, to: 2 }), config, {
    ...feeds,
    [GRADIENT_INPUT]: end[GRADIENT_OUTPUT]!,
  })
  expect(Object.keys(start).some((output) => output in end)).toBe(false)
  for (const { module, into, back } of adapters) {
    const [a, b] = reference.adapters[module]!
    expectGradient((start[gradientName(into.name)] ?? end[gradientName(into.name)])!, a, into.name)
    expectGradient((start[gradientName(back.name)] ?? end[gradientName(back.name)])!, b, back.name)
  }
})

const DISTILLATION = JSON.parse(readFileSync(join(FIXTURES, 'distillation.json'), 'utf8'))

it.each([
  ['the divergence from a teacher', DISTILLATION, undefined],
  ['the distance of states with it', DISTILLATION.withStates, { states: [{ student: 2, teacher: 1 }], weight: 0.5 }],
])('%s and its gradients are those of PyTorch', async (_, reference, common) => {
  const [{ config, decoder }, other] = [await open('llama'), await open('gemma2')]
  const { decoder: adapted, adapters, feeds, trained } = adapt(decoder, reference)
  const { student, teacher } = joinTeacher(adapted, other.decoder)
  const options = { trained, hiddenSize: config.hiddenSize, teacher: { ...teacher, common } }
  const graph = takeLossGraph(student, options)
  const outputs = await runGraph(graph, config, { ...feeds, ...lossFeeds() })
  expect(outputs[LOSS_OUTPUT]!.data[0]).toBeCloseTo(reference.loss, 4)
  for (const { module, into, back } of adapters) {
    const [a, b] = reference.adapters[module]!
    expectGradient(outputs[gradientName(into.name)]!, a, into.name)
    expectGradient(outputs[gradientName(back.name)]!, b, back.name)
  }
})
