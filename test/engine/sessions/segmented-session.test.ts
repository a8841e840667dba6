import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openModel } from '../../../src/engine/model.js'
import type { AskedBatch } from '../../../src/engine/sessions/gram-source.js'
import { MemoryPlan } from '../../../src/engine/sessions/memory-plan.js'
import { openGramSource } from '../../../src/engine/sessions/open-gram-source.js'
import { RunMeter } from '../../../src/engine/sessions/run-meter.js'
import type { SegmentedOptions } from '../../../src/engine/sessions/segmented-session.js'
import { listFixtures, ONE_THREAD } from '../../support/fixture-model.js'
import { largestDifference } from '../../support/largest-difference.js'
import { LONG_TESTS, sample } from '../../support/long-tests.js'
import { EXAMPLES, FIXTURES } from '../../support/paths.js'

const EXAMPLE = join(EXAMPLES, 'model')

const ONNX = [
  'bloom',
  'falcon',
  'fused-llama',
  'gemma',
  'genai-gemma4',
  'genai-gpt-oss',
  'genai-lfm2',
  'genai-llama-int4',
  'genai-qwen3-5',
  'gpt-neox',
  'gpt2',
  'llama',
  'phi',
]
/** One of each way in which layers, norms, positions and masks are put together. */
const SAMPLE = [
  'apertus',
  'bailing-hybrid',
  'bitnet',
  'bloom',
  'cohere2',
  'deepseek-v2',
  'deepseek-v3',
  'exaone4',
  'falcon-h1',
  'falcon-new',
  'gemma2',
  'gemma3',
  'gemma4-moe',
  'gpt-neo',
  'gpt-oss',
  'gptj',
  'granitemoe',
  'kimi-linear',
  'lfm2',
  'lfm3',
  'llama',
  'llama-dynamic',
  'ministral3',
  'mixtral',
  'nemotron-h',
  'nemotron-h-mlp-last',
  'olmo-hybrid',
  'olmo2',
  'opt-post-norm',
  'phi3-longrope',
  'phimoe',
  'qwen3-5',
  'qwen3-next',
  'qwen3-window',
  'stablelm-parallel',
  'xglm',
  'zamba2',
]
/** Later layers read keys of earlier ones: such a decoder cannot be divided there, and is refused. */
const NOT_DIVIDED = ['gemma4-e2b', 'gemma4-vl']
const FAMILIES = LONG_TESTS ? listFixtures().filter((name) => !NOT_DIVIDED.includes(name)) : sample(SAMPLE, 6)

async function open(folder: string) {
  const model = await openModel({ model: join(FIXTURES, folder) })
  const { texts, maxLength } = JSON.parse(readFileSync(join(FIXTURES, folder, 'reference.json'), 'utf8')) as {
    texts: number[][]
    maxLength: number
  }
  const batch = (ids: number[][], every: boolean): AskedBatch => ({
    texts: ids.map((ids) => ({ ids, origin: '' })),
    asked: ids.map((ids) => (every ? ids.map((_, token) => token) : [ids.length - 1])),
  })
  const batches = [batch(texts, true), batch(texts.slice(1), false), batch(texts.slice(0, 1), true)]
  return { ...model, batches, maxLength: maxLength ?? Math.max(...texts.map(({ length }) => length)) }
}

async function collect(
  { decoder, config, batches, maxLength }: Awaited<ReturnType<typeof open>>,
  maxMemory: number | undefined,
  more: Pick<Partial<SegmentedOptions>, 'onAdvance' | 'onNote' | 'signal'> = {},
): Promise<Float64Array[]> {
  const limits = { maxMemory, maxLength, maxAsked: maxLength }
  const options = { ...ONE_THREAD, ...limits, meter: new RunMeter(), ...more }
  const source = await openGramSource(decoder, config, options)
  try {
    const grams: Float64Array[] = []
    for await (const gram of source.measureGrams(batches)) grams.push(gram)
    return grams
  } finally {
    await source.close()
  }
}

/** As if there were no memory for more than one layer and one run: the fixtures are too small to need that. */
function cutIntoLayers(layers: number): void {
  vi.spyOn(MemoryPlan.prototype, 'groupRuns').mockImplementation((runs) => runs.map((run) => [run]))
  vi.spyOn(MemoryPlan.prototype, 'chooseSegments').mockReturnValue(
    Array.from({ length: layers }, (_, start) => ({ start, end: start + 1 })),
  )
}

describe('a decoder in segments', () => {
  beforeEach(() => {
    // What the test runner itself takes does not count
    vi.spyOn(process.memoryUsage, 'rss').mockReturnValue(0)
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it.each([...sample(ONNX, 3).map((name) => `onnx/${name}`), ...FAMILIES.map((name) => `families/${name}`)])(
    'gives the inner products of the whole one, bit by bit: %s',
    async (folder) => {
      const model = await open(folder)
      const whole = await collect(model, undefined)
      cutIntoLayers(model.config.layers)
      const parts = await collect(model, 1e9)
      expect(parts).toEqual(whole)
    },
  )

  it.each(sample(['bloom', 'falcon', 'gpt2', 'mixtral', 'phi3-longrope'], 2))(
    'gives the same with weights that each run casts, and the numbers of float32: %s',
    async (name) => {
      const model = await open(`families/${name}`)
      const stored = { ...model, decoder: { ...model.decoder, castsPerRun: true } }
      const whole = await collect(stored, undefined)
      const exact = await collect(model, undefined)
      for (const [index, gram] of whole.entries()) {
        const scale = Math.max(...exact[index]!)
        expect(largestDifference(gram, exact[index]!) / scale).toBeLessThan(1e-6)
      }
      cutIntoLayers(model.config.layers)
      expect(await collect(stored, 1e9)).toEqual(whole)
    },
  )

  it.each(sample(['fp8-uneven-blocks', 'gptq-reordered', 'mlx-6bit', 'mxfp4-experts'], 2))(
    'gives the same with packed weights: %s',
    async (name) => {
      const model = await open(`packed/${name}`)
      const whole = await collect(model, undefined)
      cutIntoLayers(model.config.layers)
      expect(await collect(model, 1e9)).toEqual(whole)
    },
  )

  it('tells how far it is between two batches', async () => {
    const model = await open('families/llama')
    const { layers } = model.config
    cutIntoLayers(layers)
    const advances: number[] = []
    await collect(model, 1e9, { onAdvance: (texts) => advances.push(texts) })
    const { texts } = model.batches[0]!
    expect(advances.slice(0, layers)).toEqual(
      Array.from({ length: layers }, (_, layer) => (texts.length * (layer + 1)) / layers),
    )
  })

  it('refuses a limit that no segment fits into and names one that does', async () => {
    const model = await open('onnx/llama')
    const { message } = await collect(model, 1e6).catch((error) => error)
    expect(message).toMatch(
      /^1\.0 MB of memory is too little: this model takes at least \d+MB for texts of \d+ tokens$/,
    )
    const least = Number(/(\d+)MB/.exec(message)![1])
    expect(await collect(model, least * 1e6)).toEqual(await collect(model, undefined))
  })

  it('stops between two runs', async () => {
    const model = await open('onnx/llama')
    cutIntoLayers(model.config.layers)
    const stopping = new AbortController()
    stopping.abort()
    await expect(collect(model, 1e9, { signal: stopping.signal })).rejects.toThrow(/aborted/)
  })
})

describe('a plan of memory', () => {
  it('takes more runs at a time and more layers a segment the more memory there is', async () => {
    const { decoder, config } = await openModel({ model: EXAMPLE })
    const plan = new MemoryPlan(decoder, config)
    const texts = Array.from({ length: 4 }, () => ({ ids: Array<number>(256).fill(1), origin: '' }))
    const run = { texts, tokens: 256, positions: texts.map((_, text): [number, number] => [text, 255]) }
    const runs = Array<typeof run>(64).fill(run)
    const least = plan.leastBytes(256, 1)
    const groups = (bytes: number) => plan.groupRuns(runs, bytes).length
    const segments = (bytes: number) => plan.chooseSegments([run], bytes)
    expect(groups(least)).toBe(64)
    expect(groups(least + 40e6)).toBeLessThan(groups(least + 10e6))
    expect(groups(1e9)).toBe(1)
    expect(segments(least)).toEqual(Array.from({ length: 12 }, (_, start) => ({ start, end: start + 1 })))
    expect(segments(least + 2e6).length).toBeGreaterThan(1)
    expect(segments(least + 2e6).length).toBeLessThan(12)
    expect(segments(1e9)).toEqual([{ start: 0, end: 12 }])
  })

  it('counts packed weights as they are stored, and what decoding one takes', async () => {
    const { decoder, config } = await openModel({ model: join(FIXTURES, 'packed/awq') })
    const plan = (packed: typeof decoder.packed) =>
      new MemoryPlan({ ...decoder, packed: packed! }, config).leastBytes(256, 1)
    const matrices = 2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 96
    // decoding takes one copy more than a constant does; small weights are taken to need 1.8 times their size
    const decoded = 1.8 * 4 * 64 * 96
    const bits = 4 + (16 + 4) / 32
    const least = plan(decoder.packed)
    const none = plan(
      new Map([...decoder.packed!].map(([name, { shape }]) => [name, { kind: 'constant', shape, value: 0 }])),
    )
    expect(least - none).toBeCloseTo((bits / 8) * matrices + decoded, -1)
  })

  it('counts weights that each run casts as they are stored, and a float32 copy', async () => {
    const { decoder, config } = await openModel({ model: EXAMPLE })
    const bytes = (castsPerRun: boolean) => new MemoryPlan({ ...decoder, castsPerRun }, config).leastBytes(256, 1)
    const { hiddenSize: hidden, heads, kvHeads, headDim } = config
    const inner = config.raw.intermediate_size as number
    const matrices = [(2 * heads + 2 * kvHeads) * headDim * hidden, 3 * inner * hidden]
    const weights = matrices[0]! + matrices[1]!
    // small weights are taken to need 1.8 times their size, and one more of the largest to be put in order
    const wide = 1.8 * 4 * weights + 4 * inner * hidden
    const narrow = 2 * weights + 1.8 * 4 * Math.max(inner, heads * headDim + kvHeads * headDim) * hidden
    expect(bytes(false) - bytes(true)).toBeCloseTo(wide - narrow, -1)
  })
})
