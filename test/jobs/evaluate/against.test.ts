import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  type AgainstResult,
  type CandidateFigures,
  evaluateAgainst,
  evaluatePerplexity,
  pruneModel,
} from '../../../src/index.js'
import { EXAMPLES, LLAMA } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const folder = makeTempFolder()
const model = join(EXAMPLES, 'model')
const pruned = join(folder, 'pruned')
const OPTIONS = { dataset: join(EXAMPLES, 'texts.jsonl'), datasetSize: 3, maxLength: 24, threads: 1 }

describe('evaluateAgainst', () => {
  let result: AgainstResult
  beforeAll(async () => {
    const plan = { strategy: 'explicit', removed: [{ start: 4, end: 7 }] }
    await pruneModel({ model, plan, output: pruned })
    result = await evaluateAgainst({ ...OPTIONS, model: pruned, against: model })
  })

  it('gives of a pruned model against the whole one what evaluate gives of the cut', async () => {
    const whole = await evaluatePerplexity({ ...OPTIONS, model, candidates: [[{ start: 4, end: 7 }]] })
    const [cut] = whole.candidates
    expect(result.against.perplexity).toBeCloseTo(whole.perplexity, 6)
    expect(result.perplexity).toBeCloseTo(cut!.perplexity!, 6)
    const { kl, agreement, excess } = cut as CandidateFigures
    expect(result.against.kl).toBeCloseTo(kl!, 6)
    expect(result.against.agreement).toBe(agreement)
    expect(result.against.excess.difference).toBeCloseTo(excess.difference, 6)
    expect(result.model.layers).toBe(9)
    expect(result.against.model).toMatchObject({ id: model, layers: 12 })
  })

  it('finds no divergence of a model from itself', async () => {
    const { against, perplexity } = await evaluateAgainst({ ...OPTIONS, model, against: model })
    expect(against).toMatchObject({ perplexity, kl: 0, agreement: 1, excess: { difference: 0 } })
  })

  it('refuses a model with another tokenizer', async () => {
    await expect(evaluateAgainst({ ...OPTIONS, model, against: LLAMA })).rejects.toThrow(
      /have different tokenizers: ".*" has the tokens \[.*\] and \[.*\]/,
    )
    const renamed = join(folder, 'renamed')
    cpSync(model, renamed, { recursive: true })
    const file = join(renamed, 'tokenizer.json')
    const tokenizer = JSON.parse(readFileSync(file, 'utf8'))
    const [one, two] = Object.keys(tokenizer.model.vocab).slice(-2) as [string, string]
    const { vocab } = tokenizer.model
    ;[vocab[one], vocab[two]] = [vocab[two], vocab[one]]
    writeFileSync(file, JSON.stringify(tokenizer))
    await expect(evaluateAgainst({ ...OPTIONS, model, against: renamed })).rejects.toThrow(
      'have different tokenizers: ',
    )
  })

  it('is a table and a document of the program', async () => {
    const args = [
      'evaluate',
      '--model',
      pruned,
      '--against',
      model,
      '--dataset',
      OPTIONS.dataset,
      '--dataset-size',
      '3',
    ]
    const { exitCode, stdout } = await runProgram([...args, '--max-length', '24', '--threads', '1'])
    expect(exitCode).toBe(0)
    const rows = stdout.split('\n').map((line) => line.split('|').map((cell) => cell.trim()))
    expect(rows[0]!.slice(1, 5)).toEqual(['model', 'perplexity', '± std err', '× first'])
    expect(rows[2]!.slice(1, 3)).toEqual([model, result.against.perplexity.toFixed(2)])
    expect(rows[3]!.slice(1, 3)).toEqual([pruned, result.perplexity.toFixed(2)])
    const refused = await runProgram([...args, '--drop', '1'])
    expect(refused.exitCode).toBe(2)
    expect(refused.stderr).toContain('--against compares two models as they are, without layers removed')
  })
})
