import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Model, openModel } from '../../../src/engine/model.js'
import { openEvaluator } from '../../../src/jobs/evaluate/open-evaluator.js'
import { cutBlocks } from '../../../src/model/graph/cut.js'
import { cloneModel } from '../../../src/model/graph/onnx/onnx.js'
import { renameReads } from '../../../src/model/graph/redirect-state.js'
import type { Block } from '../../../src/model/layers/block.js'
import { sample } from '../../support/long-tests.js'
import { FIXTURES } from '../../support/paths.js'

const MODELS = [
  ['onnx/llama', 'onnx/model.onnx'],
  ['onnx/llama', 'onnx/model_fp16.onnx'],
  ['onnx/fused-llama', 'onnx/model_q4.onnx'],
  ['onnx/qwen3', 'onnx/model_q4f16.onnx'],
  ['onnx/gpt2', 'onnx/model.onnx'],
  ['onnx/phi', 'onnx/model.onnx'],
  ['onnx/bloom', 'onnx/model_quantized.onnx'],
  ['onnx/llama-hidden-states', 'onnx/model.onnx'],
  ['families/llama', undefined],
  ['families/opt-post-norm', undefined],
  ['families/gemma3', undefined],
] as const

const CUTS: Block[][] = [
  [{ start: 0, end: 1 }],
  [{ start: 1, end: 2 }],
  [{ start: 2, end: 3 }],
  [
    { start: 2, end: 3 },
    { start: 0, end: 1 },
  ],
]

/** Likelihood of a few texts, with nothing of the given graph omitted. */
async function score(model: Model, removed: Block[] = []): Promise<number[]> {
  const folder = model.folder
  const { texts } = JSON.parse(readFileSync(join(folder, 'reference.json'), 'utf8')) as { texts: number[][] }
  const evaluator = await openEvaluator(model, { device: 'cpu' })
  const scored = texts.filter(({ length }) => length > 1).map((ids) => ({ ids, origin: folder }))
  const scores = []
  for (const batch of model.precision.sharesScaleInBatch ? scored.map((text) => [text]) : [scored]) {
    const [nats] = await evaluator.measure(batch, [removed])
    scores.push(...nats!)
  }
  await evaluator.close()
  return scores
}

describe.each(sample(MODELS, 2))('cutBlocks of %s %s', (name, modelFile) => {
  it('gives a whole decoder that computes what leaving the layers out computes', async () => {
    const model = await openModel({ model: join(FIXTURES, name), modelFile })
    const { layers } = model.config
    for (const removed of CUTS.filter((cut) => cut.every(({ end }) => end <= layers))) {
      const decoder = cutBlocks(model.decoder, removed)
      const kept = layers - removed.length
      expect(decoder.states).toHaveLength(kept + 1)
      const expected = await score(model, removed)
      const found = await score({ ...model, decoder, config: { ...model.config, layers: kept } })
      const tolerance = /16|quantized/.test(modelFile ?? '') ? 2e-2 : 1e-4
      for (const [text, nats] of expected.entries()) {
        expect(Math.abs(found[text]! - nats), `${JSON.stringify(removed)}, text ${text}`).toBeLessThan(tolerance)
      }
    }
  })

  it('drops the weights, cache inputs and cache outputs of the layers that go, and no others', async () => {
    const model = await openModel({ model: join(FIXTURES, name), modelFile })
    const { layers } = model.config
    const whole = model.decoder.model.graph!
    const before = namesOf(whole)
    for (const removed of CUTS.filter((cut) => cut.every(({ end }) => end <= layers))) {
      const graph = cutBlocks(model.decoder, removed).model.graph!
      const share = 1 - removed.length / layers
      const cut = namesOf(graph)
      expect(cut.caches).toHaveLength(before.caches.length * share)
      expect(cut.presents).toHaveLength(before.presents.length * share)
      expect(cut.outputs).toContain('logits')
      const numbers = removed.map(({ start }) => new RegExp(`[./](layers|h)\\.${start}[./]`))
      const matrices = graph.initializer.filter(
        ({ name, dims }) => dims.length > 1 && numbers.some((n) => n.test(name)),
      )
      expect(matrices.map(({ name }) => name)).toEqual([])
    }
    expect(namesOf(whole)).toEqual(before)
  })
})

function namesOf(graph: NonNullable<Model['decoder']['model']['graph']>) {
  const inputs = graph.input.map(({ name }) => name)
  const outputs = graph.output.map(({ name }) => name)
  return {
    nodes: graph.node.length,
    outputs,
    caches: inputs.filter((name) => name.startsWith('past')),
    presents: outputs.filter((name) => name.startsWith('present')),
  }
}

it('a cache that is read for its length is replaced by one of the same kind, or the cut is refused', async () => {
  const { decoder } = await openModel({ model: join(FIXTURES, 'onnx/llama') })
  const others = new Map(
    [1, 2].flatMap((layer) =>
      ['key', 'value'].map((part) => [`past_key_values.${layer}.${part}`, `past.${layer}.recurrent_${part}`]),
    ),
  )
  const renameSome = (layers: number[]) => {
    const model = cloneModel(decoder.model)
    const names = new Map([...others].filter(([name]) => layers.some((layer) => name.includes(`.${layer}.`))))
    renameReads(model.graph, names)
    for (const input of model.graph.input) input.name = names.get(input.name) ?? input.name
    return { ...decoder, model }
  }
  const removed = [{ start: 0, end: 1 }]
  const inputs = cutBlocks(renameSome([1]), removed).model.graph.input.map(({ name }) => name)
  expect(inputs.filter((name) => name.startsWith('past_key_values'))).toEqual([
    'past_key_values.2.key',
    'past_key_values.2.value',
  ])
  expect(() => cutBlocks(renameSome([1, 2]), removed)).toThrow(
    'the graph reads the length of the past from past_key_values.0.key, and no layer with such a cache would be left',
  )
})
