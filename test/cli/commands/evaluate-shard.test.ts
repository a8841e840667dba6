import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { evaluatePerplexity, mergeEvaluations } from '../../../src/index.js'
import { parseBlocks } from '../../../src/model/layers/blocks.js'
import type { EvaluationResult } from '../../../src/results/documents/evaluation-result.js'
import { EXAMPLES } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const cwd = makeTempFolder()
const OPTIONS = {
  model: join(EXAMPLES, 'model'),
  dataset: join(EXAMPLES, 'texts.jsonl'),
  datasetSize: 9,
  datasetSkip: 1,
  batchSize: 2,
  maxLength: 24,
  threads: 1,
  candidates: ['3:6', '0:1,8:11'].map((cut) => parseBlocks(cut)),
}
const FLAGS = [
  ...['--model', OPTIONS.model, '--dataset', OPTIONS.dataset, '--dataset-size', '9', '--dataset-skip', '1'],
  ...['--batch-size', '2', '--max-length', '24', '--threads', '1', '--drop', '3:6', '--drop', '0:1,8:11'],
]

describe('evaluate --shard', () => {
  const read = (name: string) => JSON.parse(readFileSync(join(cwd, name), 'utf8')) as EvaluationResult
  beforeAll(async () => {
    for (const part of ['1', '2']) {
      const { exitCode, stdout, stderr } = await runProgram(
        ['evaluate', ...FLAGS, '--shard', `${part}/2`, '-o', `${part}.json`],
        { cwd },
      )
      expect({ exitCode, stderr: exitCode === 0 ? '' : stderr }).toEqual({ exitCode: 0, stderr: '' })
      expect(stdout).toContain(`SHARD ${part} of 2: layerprune merge combines the shards.`)
      expect(stdout).not.toContain('To make the cut')
    }
  })

  it('measures every other batch, and merge makes of them what one run prints, to the last byte', async () => {
    // batches of 2 texts, the last of one: 1, 3 and 5; 2 and 4
    expect([read('1.json'), read('2.json')].map(({ dataset }) => dataset.texts)).toEqual([5, 4])
    const whole = await evaluatePerplexity(OPTIONS)
    const { exitCode, stdout } = await runProgram(['merge', '2.json', '1.json', '-o', 'merged', '--json'], {
      cwd,
    })
    expect(exitCode).toBe(0)
    const { run, ...merged } = JSON.parse(stdout)
    expect(JSON.stringify(merged)).toBe(JSON.stringify(whole))
    expect(run).toEqual({ ...read('1.json').run, shard: undefined })
    expect(readFileSync(join(cwd, 'merged/evaluation.json'), 'utf8')).toBe(stdout)
  })

  it('keeps what is not finite', async () => {
    const [one, two] = [read('1.json'), read('2.json')]
    const text = two.shard!.batches[1]![0]!
    text.scores[1] = [null, null, 0]
    const merged = mergeEvaluations([one, two].map((evaluation, index) => ({ file: `${index}`, evaluation })))
    expect(merged.candidates[0]).toEqual({ removed: OPTIONS.candidates[0], perplexity: null })
    expect(merged.candidates[1]!.perplexity).toBeGreaterThan(merged.perplexity)
  })

  it.each<[string, (two: EvaluationResult) => unknown, string]>([
    ['a part twice', () => read('1.json'), '1.json and other.json are both shard 1 of 2'],
    ['no part', ({ shard: _, ...whole }) => whole, 'other.json is not a shard of an evaluation'],
    [
      'other texts',
      (two) => ({ ...two, shard: { ...two.shard!, textsFingerprint: 'other' } }),
      'other.json and 1.json belong to different evaluations: their texts differ',
    ],
    [
      'other cuts',
      (two) => ({ ...two, candidates: two.candidates.toReversed() }),
      'belong to different evaluations: their candidates differ',
    ],
    [
      'a score too few',
      (two) => ({
        ...two,
        shard: { ...two.shard!, batches: [[{ scoredTokens: 1, scoredBytes: 1, scores: [] }]] },
      }),
      'other.json contradicts itself: a text has not a score for each candidate',
    ],
  ])('are not merged with %s', (_, change, message) => {
    const other = { file: 'other.json', evaluation: change(read('2.json')) as EvaluationResult }
    expect(() => mergeEvaluations([{ file: '1.json', evaluation: read('1.json') }, other])).toThrow(message)
  })

  it.each([
    [['--shard', '1/2'], 'needs an output file for layerprune merge\nhint: -o evaluation.shard-1-of-2.json'],
    [['--shard', '1/2', '--json', '--task', 'piqa'], '--shard measures a part of the texts'],
    [
      ['--max-memory', '1GB', '--task', 'piqa'],
      '--max-memory cannot be combined with --task, which runs the whole model at once',
    ],
  ])('refuses %j', async (flags, message) => {
    const { exitCode, stderr } = await runProgram(['evaluate', ...FLAGS, ...flags], { cwd })
    expect(exitCode).toBe(2)
    expect(stderr).toContain(message)
  })

  it('refuses a shard without a batch', async () => {
    await expect(evaluatePerplexity({ ...OPTIONS, shard: { index: 6, count: 6 } })).rejects.toThrow(
      'shard 6 of 6 has no text: the texts make 5 batches, which are not divided',
    )
  })
})
