import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkResult } from '../../../src/jobs/similarity/check-result.js'
import { runProgram } from '../../support/run-program.js'
import { allSizesResult } from '../../support/similarity-example.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const cwd = makeTempFolder()
const result = allSizesResult(32, 8, (start) => Math.abs(start - 21))
const certainty = {
  confidence: 0.97,
  texts: 128,
  test: 'fixed',
  level: 0.95,
  runnerUp: null,
  indistinguishable: [],
} as const
const sure = {
  ...result,
  certainty: { ...certainty, indistinguishable: [] },
  certaintyBySize: { 4: { confidence: 0.5, runnerUp: null, indistinguishable: [20] } },
}
writeFileSync(join(cwd, 'similarity.json'), JSON.stringify(sure))

describe('check', () => {
  const check = (...args: string[]) => runProgram(['check', '--from', 'similarity.json', ...args], { cwd })

  it('says what holds and exits with 0', async () => {
    const outcome = await check('--max-distance', '0.25', '--expect', '21:29', '--min-confidence', '0.95')
    expect(outcome).toEqual({
      exitCode: 0,
      stdout: [
        'holds: the best block is layers 21..28',
        'holds: the distance of layers 21..28 is 0.0800 ± 0.0010: expected at most 0.25',
        'holds: the confidence in layers 21..28 is 97%: expected at least 95%',
        '',
      ].join('\n'),
      stderr: '',
    })
  })

  it('says each that does not hold and exits with 1', async () => {
    const outcome = await check('--max-distance', '0.05', '--expect', '20:28', '--min-confidence', '0.9')
    expect(outcome).toEqual({
      exitCode: 1,
      stdout: 'holds: the confidence in layers 21..28 is 97%: expected at least 90%\n',
      stderr: [
        'error: the best block is layers 21..28: expected layers 20..27',
        'error: the distance of layers 21..28 is 0.0800 ± 0.0010: expected at most 0.05',
        '',
      ].join('\n'),
    })
  })

  it('knows how sure blocks of another size are', async () => {
    const outcome = await check('--layers-to-skip', '4', '--min-confidence', '0.9')
    expect(outcome).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: 'error: the confidence in layers 21..24 is 50%: expected at least 90%\n',
    })
  })

  it.each([
    [
      [],
      'nothing is expected: give --expect, --max-distance, --min-confidence, --max-perplexity-ratio, --max-kl, --max-size or --min-task',
    ],
    [['--max-kl', '1'], 'the result has distances alone'],
    [['--expect', '1:3,5:7'], 'Expected one block'],
    [['--expect', '30:40'], '[30, 40) is not a block of a model with 32 layers'],
    [['--expect', '1:3', '--layers-to-skip', '4'], '--expect names 2 layers, --layers-to-skip 4'],
    [['--max-distance', '2'], '--max-distance 2: the angular distance is never above 1'],
    [['--max-distance', '-1'], 'Expected a number of at least 0'],
  ])('refuses %j', async (args, message) => {
    const { exitCode, stderr } = await check(...args)
    expect(exitCode).toBe(2)
    expect(stderr).toContain(message)
  })
})

describe('checkResult', () => {
  it('takes the size of the block that is expected', () => {
    expect(checkResult(sure, { expect: { start: 21, end: 23 } })).toEqual([
      { holds: true, text: 'the best block is layers 21..22' },
    ])
    expect(checkResult(sure, { layersToSkip: 1, minConfidence: 0.5 })).toEqual([
      { holds: false, text: 'the confidence in layer 21 is not known: expected at least 50%' },
    ])
  })

  it('holds no part of a result for a whole one', () => {
    const [first] = checkResult({ ...sure, partial: true }, { maxDistance: 1 })
    expect(first).toEqual({
      holds: false,
      text: 'the result is only that of an interrupted run, over 128 texts: expected a complete one',
    })
    expect(checkResult({ ...sure, shard: { index: 1, count: 2 } }, { maxDistance: 1 })[0]!.text).toContain(
      'shard 1 of 2',
    )
  })
})
