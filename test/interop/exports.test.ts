import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openEvaluator } from '../../src/evaluate/evaluator.js'
import { measureSimilarity } from '../../src/index.js'
import { parseBlocks } from '../../src/layers/blocks.js'
import { openModel } from '../../src/model.js'
import { pruneModel } from '../../src/prune/prune.js'
import { describeWithGenai, describeWithOptimum, genaiPython, optimumPython } from './needs.js'

const run = promisify(execFile)
const TEXTS = join(import.meta.dirname, '../fixtures/texts.jsonl')
const TOLERANCE = 1e-5
/** The builder's LinearAttention and torch's add in another order. */
const LINEAR_TOLERANCE = 1e-4
/** Of a graph whose products round activations: one token alone and many at once give other numbers. */
const ROUNDED_TOLERANCE = 5e-3
/** Its products and its caches are of no use to its own runtime on a CPU. */
const WITHOUT_RUNTIME = 'genai-gpt_oss-fp16'
const CUTS = ['1:2', '0:1', '2:4']

interface Export {
  name: string
  folder: string
  precision: 'fp32' | 'fp16' | 'int4'
}

async function runScript(python: string, script: string, ...args: string[]): Promise<unknown[]> {
  const path = join(import.meta.dirname, script)
  const { stdout } = await run(python, [path, ...args], { maxBuffer: 1e8 })
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

async function readReference(folder: string, file = 'reference') {
  return JSON.parse(await readFile(join(folder, `${file}.json`), 'utf8'))
}

/** Largest difference of a distance from the reference, over every block. */
async function compareDistances(
  { folder }: Export,
  options: { tokens?: 'last' | 'all'; maxMemory?: number },
): Promise<number> {
  const reference = await readReference(folder)
  const { maxLength } = reference
  const tokens = options.tokens ?? 'all'
  const settings = { dataset: TEXTS, layersToSkip: 1, maxLength, tokens, ...options } as const
  const { distances } = await measureSimilarity({ model: folder, ...settings })
  const expected = Object.entries(reference[tokens as 'all' | 'last'] as Record<string, number[]>)
  expect(expected.length).toBeGreaterThan(2)
  return Math.max(
    ...expected.flatMap(([n, row]) =>
      row.map((distance, start) => Math.abs(distance - distances[n]![start]!)),
    ),
  )
}

/** Largest difference in the mean negative log-likelihood of a text, in nats. */
function compareScores(texts: number[][], measured: ArrayLike<number>, expected: number[]): number {
  const differences = texts.map((ids, text) =>
    ids.length > 1 ? Math.abs(measured[text]! - expected[text]!) / (ids.length - 1) : 0,
  )
  return Math.max(...differences)
}

/** The same over all cuts that the reference has, by running the kept layers. */
async function compareCuts({ folder }: Export): Promise<number> {
  const perplexity: Record<string, number[]> = await readReference(folder, 'perplexity')
  const { texts }: { texts: number[][] } = await readReference(folder)
  const evaluator = await openEvaluator(await openModel({ model: folder }), { device: 'cpu' })
  const cuts = Object.keys(perplexity)
  const blocks = cuts.map((cut) => (cut === '' ? [] : parseBlocks(cut)))
  const batch = texts.filter(({ length }) => length > 1).map((ids) => ({ ids, origin: folder }))
  const measured = await evaluator.measure(batch, blocks)
  await evaluator.close()
  const scored = texts.map(({ length }) => length > 1)
  const differences = cuts.map((cut, index) =>
    compareScores(
      batch.map(({ ids }) => ids),
      measured[index]!,
      perplexity[cut]!.filter((_, text) => scored[text]),
    ),
  )
  return Math.max(...differences)
}

function toleranceOf({ name, precision }: Export): number {
  if (precision !== 'fp32') return ROUNDED_TOLERANCE
  return name.includes('qwen3_5') ? LINEAR_TOLERANCE : TOLERANCE
}

function testExports(exporter: 'genai' | 'optimum', python: string, least: number): void {
  let folder: string
  let exports: Export[]

  /** Those of some exports whose difference is not below a tolerance. */
  async function findWrong(
    measure: (model: Export) => Promise<number>,
    tolerance: (model: Export) => number,
  ) {
    const wrong: [string, unknown][] = []
    for (const model of exports) {
      const difference = await measure(model)
      if (!(difference < tolerance(model))) wrong.push([model.name, difference])
    }
    return wrong
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'layerprune-exports-'))
    exports = (await runScript(python, 'make_exports.py', exporter, folder)) as Export[]
  }, 600_000)
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('give the distances of PyTorch, or of the same graph', { timeout: 300_000 }, async () => {
    expect(exports.length).toBeGreaterThanOrEqual(least)
    expect(
      await findWrong(
        (model) => compareDistances(model, { tokens: 'last' }),
        () => TOLERANCE,
      ),
    ).toEqual([])
    expect(
      await findWrong(
        (model) => compareDistances(model, {}),
        () => TOLERANCE,
      ),
    ).toEqual([])
  })

  it('give the same within little memory', { timeout: 300_000 }, async () => {
    const maxMemory = process.memoryUsage.rss() + 600e6
    expect(
      await findWrong(
        (model) => compareDistances(model, { maxMemory }),
        () => TOLERANCE,
      ),
    ).toEqual([])
  })

  it('give the likelihoods of PyTorch, whole and with every block cut', { timeout: 300_000 }, async () => {
    expect(await findWrong(compareCuts, toleranceOf)).toEqual([])
  })

  it('give them after pruning in a runtime of their own, token by token', { timeout: 600_000 }, async () => {
    const cases: { name: string; folder: string; texts: number[][] }[] = []
    const expected = new Map<string, { scores: number[]; tolerance: number }>()
    for (const model of exports.filter(({ name }) => name !== WITHOUT_RUNTIME)) {
      const perplexity: Record<string, number[]> = await readReference(model.folder, 'perplexity')
      const { texts } = await readReference(model.folder)
      const name = `${model.name} whole`
      cases.push({ name, folder: model.folder, texts })
      expected.set(name, { scores: perplexity['']!, tolerance: toleranceOf(model) })
      for (const cut of CUTS.filter((cut) => cut in perplexity)) {
        const output = `${model.folder}-${cut.replace(':', '-')}`
        await pruneModel({
          model: model.folder,
          output,
          plan: { strategy: 'explicit', removed: parseBlocks(cut) },
        })
        const name = `${model.name} ${cut}`
        cases.push({ name, folder: output, texts })
        expected.set(name, { scores: perplexity[cut]!, tolerance: toleranceOf(model) })
      }
    }
    const file = join(folder, 'cases.json')
    await writeFile(file, JSON.stringify(cases))
    const checked = (await runScript(python, 'check_exports.py', exporter, file)) as {
      name: string
      scores: number[]
    }[]
    expect(checked.map(({ name }) => name)).toEqual(cases.map(({ name }) => name))
    const wrong = checked.flatMap(({ name, scores }, index) => {
      const { scores: right, tolerance } = expected.get(name)!
      const difference = compareScores(cases[index]!.texts, scores, right)
      return difference < tolerance ? [] : [[name, difference]]
    })
    expect(wrong).toEqual([])
  })
}

describeWithGenai('exports of onnxruntime-genai', () => testExports('genai', genaiPython, 20))
describeWithOptimum('exports of optimum', () => testExports('optimum', optimumPython, 15))
