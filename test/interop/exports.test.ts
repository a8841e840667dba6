import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openModel } from '../../src/engine/model.js'
import { measureSimilarity } from '../../src/index.js'
import { openEvaluator } from '../../src/jobs/evaluate/open-evaluator.js'
import { pruneModel } from '../../src/jobs/prune/prune.js'
import { parseBlocks } from '../../src/model/layers/blocks.js'
import { describeWithGenai, describeWithOptimum, genaiPython, optimumPython } from './needs.js'

const run = promisify(execFile)
const TEXTS = join(import.meta.dirname, '../fixtures/texts.jsonl')
const TOLERANCE = 1e-5
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
    ...expected.flatMap(([n, row]) => row.map((distance, start) => Math.abs(distance - distances[n]![start]!))),
  )
}

/** Largest difference in the mean negative log-likelihood of a text, in nats. */
function compareScores(texts: number[][], measured: ArrayLike<number>, expected: number[]): number {
  const differences = texts.map((ids, text) =>
    ids.length > 1 ? Math.abs(measured[text]! - expected[text]!) / (ids.length - 1) : 0,
  )
  return Math.max(...differences)
}

/** Negative log-likelihood of each text with layers taken out, by running the kept ones; 0 of a text of one token. */
async function scoreCuts(folder: string, cuts: string[]): Promise<number[][]> {
  const { texts }: { texts: number[][] } = await readReference(folder)
  const evaluator = await openEvaluator(await openModel({ model: folder }), { device: 'cpu' })
  const batch = texts.filter(({ length }) => length > 1).map((ids) => ({ ids, origin: folder }))
  const blocks = cuts.map((cut) => (cut === '' ? [] : parseBlocks(cut)))
  const measured = await evaluator.measure(batch, blocks)
  await evaluator.close()
  return measured.map((nats) => {
    const scores = [...nats]
    return texts.map(({ length }) => (length > 1 ? scores.shift()! : 0))
  })
}

/** The same as `compareScores` over all cuts that the reference has. */
async function compareCuts({ folder }: Export): Promise<number> {
  const perplexity: Record<string, number[]> = await readReference(folder, 'perplexity')
  const { texts }: { texts: number[][] } = await readReference(folder)
  const measured = await scoreCuts(folder, Object.keys(perplexity))
  const expected = Object.values(perplexity)
  return Math.max(...measured.map((scores, index) => compareScores(texts, scores, expected[index]!)))
}

/** What a model scores whole and with each of CUTS: by the reference, or by itself if that has no cuts. */
async function expectScores({ folder, precision }: Export): Promise<Record<string, number[]>> {
  const perplexity: Record<string, number[]> = await readReference(folder, 'perplexity')
  if (precision === 'fp32' && CUTS.every((cut) => cut in perplexity)) return perplexity
  const scores = await scoreCuts(folder, CUTS)
  return { ...perplexity, ...Object.fromEntries(CUTS.map((cut, index) => [cut, scores[index]!])) }
}

function toleranceOf({ precision }: Export): number {
  return precision === 'fp32' ? TOLERANCE : ROUNDED_TOLERANCE
}

function testExports(exporter: 'genai' | 'optimum', python: string, least: number): void {
  let folder: string
  let exports: Export[]

  /** Those of some exports whose difference is not below a tolerance. */
  async function findWrong(measure: (model: Export) => Promise<number>, tolerance: (model: Export) => number) {
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
    const cases = []
    for (const model of exports.filter(({ name }) => name !== WITHOUT_RUNTIME)) {
      const { texts }: { texts: number[][] } = await readReference(model.folder)
      const scores = await expectScores(model)
      const tolerance = toleranceOf(model)
      cases.push({ name: model.name, folder: model.folder, texts, expected: scores['']!, tolerance })
      for (const cut of CUTS) {
        const output = `${model.folder}-${cut.replace(':', '-')}`
        const plan = { strategy: 'explicit', removed: parseBlocks(cut) } as const
        await pruneModel({ model: model.folder, output, plan })
        cases.push({ name: `${model.name} ${cut}`, folder: output, texts, expected: scores[cut]!, tolerance })
      }
    }
    const file = join(folder, 'cases.json')
    await writeFile(file, JSON.stringify(cases))
    const checked = (await runScript(python, 'check_exports.py', exporter, file)) as {
      name: string
      scores: number[]
    }[]
    expect(checked.map(({ name }) => name)).toEqual(cases.map(({ name }) => name))
    const wrong = cases.flatMap(({ name, texts, expected, tolerance }, index) => {
      const difference = compareScores(texts, checked[index]!.scores, expected)
      return difference < tolerance ? [] : [[name, difference]]
    })
    expect(wrong).toEqual([])
  })
}

describeWithGenai('exports of onnxruntime-genai', () => testExports('genai', genaiPython, 20))
describeWithOptimum('exports of optimum', () => testExports('optimum', optimumPython, 15))
