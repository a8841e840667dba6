import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { evaluatePerplexity, InterruptedError, type TextScore } from '../../../src/index.js'
import { FIXTURES, LLAMA, TEXTS } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const BASICS = ['evaluate', '--model', LLAMA, '--dataset', TEXTS]

/** PyTorch's perplexity of a fixture's texts. */
function referencePerplexity(folder: string, cut: string): number {
  const read = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8'))
  const texts: number[][] = read('reference.json').texts
  const nats: number[] = read('perplexity.json')[cut]
  const scored = texts.reduce((sum, ids) => sum + ids.length - 1, 0)
  return Math.exp(nats.reduce((sum, value) => sum + value, 0) / scored)
}

describe('evaluate', () => {
  it('prints the whole model and every candidate, and what was scored', async () => {
    const { exitCode, stdout, stderr } = await runProgram([
      ...[...BASICS, '--max-length', '32', '--drop', '0:1', '--drop', '0:1,2:3', '--drop', '1', '--batch-size', '3'],
    ])
    expect(exitCode).toBe(0)
    const rows = stdout
      .split('\n')
      .slice(2, 6)
      .map((line) => line.split('|').map((cell) => cell.trim()))
    const expected = ['', '0:1', '0:1,2:3', '1:2'].map((cut) => referencePerplexity(LLAMA, cut).toFixed(2))
    expect(rows.map(([, layers, perplexity]) => [layers, perplexity])).toEqual([
      ['none', expected[0]],
      ['0', expected[1]],
      ['0, 2', expected[2]],
      ['1', expected[3]],
    ])
    // cuts of several sizes have no order
    expect(stdout).not.toMatch(/<- lowest|To make the cut/)
    expect(stdout).toMatch(
      /^Over 7 texts of at most 32 tokens: \d+ tokens scored, every token but the first of each text\.$/m,
    )
    expect(stderr).toContain('reading onnx/model.onnx (fp32')
  })

  it('marks the lowest perplexity of cuts of one size, and makes that cut next', async () => {
    const { stdout } = await runProgram([...BASICS, '--max-length', '32', '--drop', '0', '--drop', '1'])
    expect(stdout.match(/<- lowest/g)).toHaveLength(1)
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^ {2}layerprune prune --model .* --drop 1:2 -o llama-pruned$/)
  })

  it('says which cuts prune cannot write, and does not suggest them', async () => {
    const model = join(FIXTURES, 'families/gemma4')
    const basics = ['evaluate', '--model', model, '--dataset', TEXTS, '--max-length', '32']
    const { stdout, stderr } = await runProgram([...basics, '--drop', '3:4', '--drop', '1:2'])
    const reason = /config.json cannot say .*: the last layer of Gemma 4 must be one of full attention/
    expect(stderr.split('\n').filter((line) => line.startsWith('prune cannot'))).toEqual([
      expect.stringMatching(new RegExp(`^prune cannot write the model without layers 3:4: ${reason.source}$`)),
    ])
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/--drop 1:2 -o gemma4-pruned$/)
    const json = await runProgram([...basics, '--drop', '3:4', '--json', '--quiet'])
    expect(json.stderr).toBe('')
    expect(JSON.parse(json.stdout).candidates).toEqual([
      expect.objectContaining({ notWritable: expect.stringMatching(reason) }),
    ])
  })

  it('prints and writes the JSON that the library returns', async () => {
    const cwd = makeTempFolder()
    const { stdout, stderr, exitCode } = await runProgram(
      [...BASICS, '--start', '1', '--end', '3', '--json', '--quiet', '-o', 'result.json', '--dataset-skip', '2'],
      { cwd },
    )
    expect(stderr).toBe('')
    expect(exitCode).toBe(0)
    expect(stdout).toBe(readFileSync(join(cwd, 'result.json'), 'utf8'))
    const scores: TextScore[] = []
    const result = await evaluatePerplexity({
      model: LLAMA,
      dataset: TEXTS,
      datasetSkip: 2,
      candidates: [[{ start: 1, end: 3 }]],
      onText: (score) => scores.push(score),
    })
    const { run, ...printed } = JSON.parse(stdout)
    expect(printed).toEqual(result)
    expect(run).toMatchObject({ command: 'evaluate', options: { start: 1, end: 3 } })
    expect(result).toMatchObject({
      schema: 'layerprune.evaluation/1',
      model: { id: LLAMA, layers: 3 },
      dataset: { id: TEXTS, column: 'text', skippedTexts: 2, texts: 5 },
      settings: { maxLength: 128, batchSize: 8, scored: 'every token but the first of each text' },
      candidates: [{ removed: [{ start: 1, end: 3 }] }],
    })
    const nats = (candidate: number) =>
      scores.reduce((sum, text) => sum + text.negativeLogLikelihoods[candidate]! * text.scoredTokens, 0)
    const { scoredTokens, tokens, texts, scoredBytes } = result.dataset
    expect(scoredTokens).toBe(tokens - texts)
    expect(result.perplexity).toBeCloseTo(Math.exp(nats(0) / scoredTokens), 6)
    expect(result.bitsPerByte).toBeCloseTo(nats(0) / Math.LN2 / scoredBytes, 10)
    const candidate = result.candidates[0]!
    expect(candidate.perplexity).toBeCloseTo(Math.exp(nats(1) / scoredTokens), 6)
    expect(candidate).toMatchObject({
      excess: { difference: expect.closeTo((nats(1) - nats(0)) / scoredTokens, 10) },
    })
  })

  it('gives the same numbers from safetensors, and for any batch size', async () => {
    const folder = join(FIXTURES, 'families/llama')
    const run = (batchSize: number) =>
      evaluatePerplexity({
        model: folder,
        dataset: TEXTS,
        batchSize,
        maxLength: 32,
        candidates: [[{ start: 0, end: 2 }]],
      })
    const [one, all] = [await run(1), await run(7)]
    expect(one.perplexity / referencePerplexity(folder, '')).toBeCloseTo(1, 5)
    expect(all.perplexity / one.perplexity).toBeCloseTo(1, 5)
    expect(all.candidates[0]!.perplexity! / referencePerplexity(folder, '0:2')).toBeCloseTo(1, 5)
  })

  it('takes plans and saved results', async () => {
    const cwd = makeTempFolder()
    const plan = await runProgram(
      ['plan', '--model', LLAMA, '--layers-to-skip', '1', '--strategy', 'deepest', '-o', 'plan.json'],
      { cwd },
    )
    expect(plan.exitCode).toBe(0)
    await runProgram(['similarity', '--model', LLAMA, '--dataset', TEXTS, '--layers-to-skip', '2', '--quiet'], { cwd })
    const fromPlan = await runProgram([...BASICS, '--plan', 'plan.json', '--json'], { cwd })
    expect(JSON.parse(fromPlan.stdout).candidates).toMatchObject([{ removed: [{ start: 1, end: 2 }] }])
    const saved = JSON.parse(readFileSync(join(cwd, 'layerprune-output/similarity.json'), 'utf8'))
    const fromResult = await runProgram([...BASICS, '--from', 'layerprune-output/similarity.json', '--json'], { cwd })
    const { start, end } = saved.best
    expect(JSON.parse(fromResult.stdout).candidates).toMatchObject([{ removed: [{ start, end }] }])
  })

  it.each([
    ['a block outside the model', ['--drop', '2:9'], 2, /the model has layers 0 to 2, and layers 2\.\.8 cannot/],
    ['every layer', ['--drop', '0:3'], 2, /no layer would be kept: all 3 layers are removed/],
    ['half a block', ['--start', '1'], 2, /--start requires --end/],
    ['layers named twice', ['--drop', '1', '--start', '0', '--end', '1'], 2, /named more than once/],
    ['no plan', ['--plan', 'nowhere.json'], 1, /nowhere\.json cannot be read/],
    ['a number that is none', ['--dataset-skip', '-1'], 2, /--dataset-skip/],
    ['texts that are not there', ['--dataset-skip', '7'], 1, /holds no text to measure after its first 7 texts/],
  ])('refuses %s', async (_, flags, code, message) => {
    const { exitCode, stdout, stderr } = await runProgram([...BASICS, ...flags])
    expect(stderr).toMatch(message)
    expect(stderr).not.toContain('    at ')
    expect(exitCode).toBe(code)
    expect(stdout).toBe('')
  })

  it('refuses a checkpoint that was saved without its head', async () => {
    const { exitCode, stderr } = await runProgram([...['evaluate', '--model', headlessCopy(), '--dataset', TEXTS]])
    expect(stderr).toContain('error: the model has no head, so it gives no perplexity')
    expect(exitCode).toBe(1)
  })

  it('stops cleanly when it is interrupted', async () => {
    const controller = new AbortController()
    const run = evaluatePerplexity({
      model: LLAMA,
      dataset: TEXTS,
      batchSize: 2,
      signal: controller.signal,
      onProgress: ({ phase, done }) => phase === 'perplexity' && done >= 2 && controller.abort(),
    })
    await expect(run).rejects.toMatchObject({ exitCode: 130, message: 'interrupted after 2 texts' })
    expect(new InterruptedError(1).message).toBe('interrupted after 1 text')
    expect(new InterruptedError(0, 1).message).toBe('interrupted after 0 of 1 text')
    expect(new InterruptedError(1, 9).message).toBe('interrupted after 1 of 9 texts')
  })
})

/** A copy of a llama without lm_head and without the prefix of its names, as a bare decoder is saved. */
function headlessCopy(): string {
  const folder = makeTempFolder()
  cpSync(join(FIXTURES, 'families/llama'), folder, { recursive: true })
  const path = join(folder, 'model.safetensors')
  const bytes = readFileSync(path)
  const headerBytes = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.subarray(8, 8 + headerBytes).toString())
  const kept: Record<string, unknown> = {}
  const parts: Buffer[] = []
  let offset = 0
  for (const [name, entry] of Object.entries<{ data_offsets: [number, number] }>(header)) {
    if (name === '__metadata__' || name.startsWith('lm_head')) continue
    const data = bytes.subarray(...(entry.data_offsets.map((at) => 8 + headerBytes + at) as [number, number]))
    kept[name.replace(/^model\./, '')] = { ...entry, data_offsets: [offset, offset + data.length] }
    offset += data.length
    parts.push(data)
  }
  const text = Buffer.from(JSON.stringify(kept))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  writeFileSync(path, Buffer.concat([length, text, ...parts]))
  return folder
}
