import { describe, expect, it } from 'vitest'
import { EXAMPLES } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'

const similarity = (...flags: string[]) =>
  runProgram([
    ...['similarity', '--model', `${EXAMPLES}/model`, '--dataset', `${EXAMPLES}/texts.jsonl`],
    ...['--layers-to-skip', '4', '--dataset-size', '12', '--json', ...flags],
  ])

describe('--max-memory', () => {
  it('gives the numbers that come without it', async () => {
    const [whole, limited] = await Promise.all([
      similarity('--tokens', 'all'),
      similarity('--tokens', 'all', '--max-memory', '1GB'),
    ])
    expect(limited.exitCode, limited.stderr).toBe(0)
    expect(limited.stderr).toMatch(
      /running \d+ segments? of layers one after the other, \d+ texts at a time, to stay within 1\.0 GB/,
    )
    const [expected, found] = [JSON.parse(whole.stdout), JSON.parse(limited.stdout)]
    expect(found).toEqual(expected)
  })

  it('names the least that is needed if it is too little', async () => {
    const { exitCode, stdout, stderr } = await similarity('--max-memory', '20MB')
    expect(exitCode).toBe(1)
    expect(stdout).toBe('')
    expect(stderr).toMatch(
      /error: 20\.0 MB of memory is too little: this model takes at least (\d+)MB for texts of 512 tokens\nhint: --max-memory \1MB, or a smaller --max-length\n$/,
    )
  })

  it.each(['4', '4gigabytes', '0GB', '-1GB'])('takes sizes only, not %s', async (size) => {
    const { exitCode, stderr } = await similarity(`--max-memory=${size}`)
    expect(exitCode).toBe(2)
    expect(stderr).toContain('Expected a size, for example 500MB, 4GB or 4GiB')
  })
})

describe('--verbose', () => {
  it('ends with one line on where the time went', async () => {
    const { exitCode, stdout, stderr } = await similarity('--verbose')
    expect(exitCode, stderr).toBe(0)
    expect(JSON.parse(stdout).best).toBeDefined()
    expect(stderr).toMatch(
      /^roofline: [\d.]+ GFLOP\/s, [\d.]+% of the \d+ of a float32 matrix product; [\d,]+ tokens\/s, [\d.]+% padding; [\d.]+ s: loading [\d.]+%, tokenising [\d.]+%, feeding [\d.]+%, model [\d.]+%, distances [\d.]+%$/m,
    )
  })
})

describe('--device', () => {
  it.each(['cuda', 'dml', 'coreml'])('%s runs there, or says what is missing and how to get it', async (device) => {
    const { exitCode, stdout, stderr } = await similarity('--device', device)
    if (exitCode === 0) return expect(JSON.parse(stdout).best).toBeDefined()
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(new RegExp(`error: .*\\b${device}\\b`))
    expect(stderr).toMatch(/hint: .*--device cpu/)
  })
})
