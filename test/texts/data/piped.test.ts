import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { Spool } from '../../../src/texts/data/spool.js'
import { FIXTURES, PROGRAM, ROOT } from '../../support/paths.js'
import { startProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'
import { collect } from './helpers.js'

const run = promisify(execFile)
const MODEL = join(ROOT, 'examples/model')
const LINES = readFileSync(join(ROOT, 'examples/texts.jsonl'), 'utf8').split('\n').slice(0, 40)

describe('Spool', () => {
  const pieces = Array.from({ length: 50 }, (_, index) => Buffer.from(`piece ${index}\n`))
  const textOf = async (spool: Spool) => Buffer.concat(await collect(spool.readBytes())).toString()

  it('gives what came once to every reader, also side by side', async () => {
    const spool = new Spool('pipe', Readable.from(pieces, { objectMode: false }))
    const whole = Buffer.concat(pieces).toString()
    expect(await Promise.all([textOf(spool), textOf(spool)])).toEqual([whole, whole])
    expect(await textOf(spool)).toBe(whole)
    const file = await spool.openRandomAccess()
    expect(file.byteLength).toBe(whole.length)
    expect(Buffer.from(await file.slice(6, 9)).toString()).toBe(whole.slice(6, 9))
    expect(Buffer.from(await file.slice(-4 + whole.length)).toString()).toBe(whole.slice(-4))
    await spool.close()
  })

  it('takes no more than is asked for', async () => {
    let taken = 0
    const endless = Readable.from(
      (function* () {
        for (;;) {
          taken += 1000
          yield Buffer.alloc(1000, 'x')
        }
      })(),
      { objectMode: false, highWaterMark: 1000 },
    )
    const spool = new Spool('pipe', endless)
    for await (const chunk of spool.readBytes()) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
    expect(taken).toBeLessThan(10_000)
    await spool.close()
  })

  it('reports a pipe that breaks to whoever reads on', async () => {
    const broken = new Readable({ read() {} })
    const spool = new Spool('pipe', broken)
    broken.destroy(new Error('it broke'))
    await expect(textOf(spool)).rejects.toThrow('cannot read pipe: it broke')
  })
})

const ARGS = ['similarity', '--model', MODEL, '--layers-to-skip', '4', '--dataset-size', '6', '--max-length', '16']
const distancesOf = (json: string) => JSON.parse(json).distances

describe.skipIf(!existsSync('/dev/fd'))('texts from a pipe', () => {
  const folder = makeTempFolder()
  const plain = LINES.filter(Boolean).map((line) => JSON.parse(line).text.replaceAll('\n', ' '))
  writeFileSync(join(folder, 'x.jsonl'), plain.map((text) => `${JSON.stringify({ text })}\n`).join(''))
  writeFileSync(join(folder, 'x.txt.gz'), gzipSync(plain.join('\n')))

  it('are measured like those of a file: standard input, packed, and a process substitution that is read twice', async () => {
    const inShell = (command: string) =>
      run('bash', ['-c', command, PROGRAM], { cwd: folder, env: { ...process.env, HF_HUB_OFFLINE: '1' } })
    const words = `${process.execPath} "$0" ${ARGS.map((arg) => `'${arg}'`).join(' ')} --json`
    const file = await inShell(`${words} --verify 2 --verify-size 4 --dataset x.jsonl`)
    const expected = JSON.parse(file.stdout)
    const packed = await inShell(`${words} -o packed --dataset - < x.txt.gz`)
    expect(distancesOf(packed.stdout)).toEqual(expected.distances)
    expect(packed.stderr).toContain('standard input holds plain text, one text per line, packed with gzip')
    const substituted = await inShell(`${words} --verify 2 --verify-size 4 -o substituted --dataset <(cat x.jsonl)`)
    expect(distancesOf(substituted.stdout)).toEqual(expected.distances)
    expect(JSON.parse(substituted.stdout).verification.perplexity).toBe(expected.verification.perplexity)
    expect(substituted.stderr).toMatch(/\/dev\/fd\/\d+ holds JSON Lines/)
  })

  it('are cut off where enough were read, and the program ends although the pipe does not', async () => {
    const { child, outcome } = startProgram([...ARGS, '--json', '--dataset', '-'])
    child.stdin.on('error', () => {})
    child.stdin.write(readFileSync(join(folder, 'x.jsonl')))
    const { exitCode, stdout } = await outcome
    child.stdin.destroy()
    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout).dataset.samples).toBe(6)
  })

  it('that are none are refused', async () => {
    const { child, outcome } = startProgram([...ARGS, '--dataset', '-'])
    child.stdin.end()
    const { exitCode, stderr } = await outcome
    expect(exitCode).toBe(1)
    expect(stderr).toBe('error: standard input is empty: expected texts\n')
  })
})

it('a Parquet file is read from a pipe too', async () => {
  const bytes = readFileSync(join(FIXTURES, 'data/none.parquet'))
  const spool = new Spool('pipe', Readable.from([bytes], { objectMode: false }))
  const { byteLength } = await spool.openRandomAccess()
  expect(byteLength).toBe(bytes.length)
  await spool.close()
})
