import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { findSchemaProblem } from '../../../src/results/documents/json-schema.js'
import { EXAMPLES } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const cwd = makeTempFolder()
const MODEL = ['--model', join(EXAMPLES, 'model'), '--max-length', '24', '--threads', '1']
const MIX = ['--dataset', 'a.jsonl:0.7', '--dataset', 'b:0.2.jsonl:0.3']
const SHARES = [
  { id: 'a.jsonl', share: 0.7 },
  { id: 'b:0.2.jsonl', share: 0.3 },
]

beforeAll(() => {
  const lines = readFileSync(join(EXAMPLES, 'texts.jsonl'), 'utf8').split('\n')
  const a = lines.slice(0, 9)
  // without text: passed over, and of no share
  const b = ['{"text": " "}', ...lines.slice(20, 24)]
  // each text is of the file furthest behind its share
  const next = { a: a.values(), b: b.slice(1).values() }
  const mixed = ([...'abaaabaaba'] as ('a' | 'b')[]).map((file) => next[file].next().value)
  for (const [name, texts] of Object.entries({ 'a.jsonl': a, 'b:0.2.jsonl': b, 'mixed.jsonl': mixed }))
    writeFileSync(join(cwd, name), `${texts.join('\n')}\n`)
})

async function runJson(...args: string[]) {
  const { exitCode, stdout, stderr } = await runProgram([...args, ...MODEL, '--json'], { cwd })
  expect({ exitCode, stderr: exitCode === 0 ? '' : stderr }).toEqual({ exitCode: 0, stderr: '' })
  return JSON.parse(stdout)
}

describe('--dataset with shares', () => {
  it('measures the same as a file that holds the texts in that order', async () => {
    const size = ['--dataset-size', '10', '--layers-to-skip', '4']
    const mix = await runJson('similarity', ...MIX, ...size)
    const file = await runJson('similarity', '--dataset', 'mixed.jsonl', '-o', 'file', ...size)
    expect(mix.dataset).toMatchObject({
      id: 'a.jsonl:0.7, b:0.2.jsonl:0.3',
      shares: SHARES,
      samples: 10,
      skipped: { empty: 1, notText: 0 },
      fingerprint: file.dataset.fingerprint,
    })
    expect(mix.distances).toEqual(file.distances)
    expect(file.dataset).not.toHaveProperty('shares')
    expect(findSchemaProblem('similarity', mix)).toBeNull()
  })

  it('chooses a plan on the mix, and keeps the shares with it', async () => {
    const plan = await runJson(
      ...['plan', ...MIX, '--dataset-size', '4', '--strategy', 'greedy-perplexity', '--layers-to-skip', '1'],
    )
    expect(plan.dataset).toMatchObject({ shares: SHARES, texts: 4 })
  })

  it('sweeps on the mix: scales shares, and ends with the first file, with a note', async () => {
    const args = ['sweep', '--dataset', 'a.jsonl:7', 'b:0.2.jsonl:3', ...MODEL, '--sizes', '2', '--json']
    const counts = ['--dataset-size', '5', '--verify-size', '20', '--max-size', '1GB', '-o', 'sweep']
    const { exitCode, stdout, stderr } = await runProgram([...args, ...counts], { cwd })
    expect(exitCode).toBe(0)
    // 9 texts of a.jsonl and 4 of the other
    expect(JSON.parse(stdout).dataset).toMatchObject({ shares: SHARES, skippedTexts: 5, texts: 8 })
    expect(stderr.match(/the dataset ends with the 9 texts of a\.jsonl, to keep the shares/g)).toHaveLength(1)
    expect(findSchemaProblem('sweep', JSON.parse(stdout))).toBeNull()
    const plan = JSON.parse(readFileSync(join(cwd, 'sweep/plan.json'), 'utf8'))
    expect(plan.dataset.shares).toEqual(SHARES)
  })

  it.each([
    [['a.jsonl:0.7', 'mixed.jsonl'], 'dataset mixed.jsonl has no share, but a.jsonl has one'],
    [['a.jsonl:0', 'mixed.jsonl:1'], 'dataset a.jsonl:0: expected a share above 0, found 0'],
  ])('refuses %j', async (paths, message) => {
    const { exitCode, stderr } = await runProgram(
      ['similarity', ...MODEL, '--dataset', ...paths, '--layers-to-skip', '4', '-o', 'refused'],
      { cwd },
    )
    expect({ exitCode, message: stderr.split('\n')[0] }).toEqual({
      exitCode: 2,
      message: `error: ${message}`,
    })
  })
})
