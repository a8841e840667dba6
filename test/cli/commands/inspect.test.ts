import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FIXTURES } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const run = (...args: string[]) => runProgram(args)
const llama = join(FIXTURES, 'families/llama')

describe('layerprune inspect', () => {
  it('prints sizes, parameters, files, route and memory', async () => {
    const { exitCode, stdout, stderr } = await run('inspect', '--model', llama)
    expect(exitCode, stderr).toBe(0)
    expect(stdout).toContain('family   llama (Llama 1 to 3.3')
    expect(stdout).toMatch(/\| attention +\| +[\d,]+ \| +\d+\.\d % \|/)
    expect(stdout).toMatch(/\| model\.safetensors +\| +\d+(\.\d)? kB \|/)
    expect(stdout).toContain('Can be analysed from model.safetensors, in fp32.')
    expect(stdout).toMatch(/Memory: about \d+ MB for texts of up to 128 tokens, \d+ kB of it weights\./)
  })

  it('says what layers are worth that have a mixer or an MLP, and names all parts', async () => {
    const { stdout } = await run('inspect', '--model', join(FIXTURES, 'families/nemotron-h'))
    expect(stdout).toContain('\nlayers   each is a mixer or an MLP, so 5 of them are about 2.5 usual layers\n')
    const rows = [...stdout.matchAll(/^\| [A-Za-z ,]+ \| +([\d,]+) \| +[\d.]+ % \|$/gm)]
    const counts = rows.map(([, count]) => Number(count!.replaceAll(',', '')))
    expect(counts.at(-1)).toBe(counts.slice(0, -1).reduce((sum, count) => sum + count))
    expect(stdout).toMatch(/\| other mixers +\|/)
  })

  it('prints one JSON document', async () => {
    const { exitCode, stdout, stderr } = await run('inspect', '--model', llama, '--json', '--quiet')
    expect([exitCode, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toMatchObject({
      schema: 'layerprune.inspect/1',
      model: { id: llama, family: 'llama', layers: 3 },
      analysis: { possible: true, format: 'safetensors', file: 'model.safetensors', dtype: 'fp32' },
    })
  })

  it('reads a model with a key that is to be ignored, and says so', async () => {
    const model = makeTempFolder()
    cpSync(llama, model, { recursive: true })
    const config = JSON.parse(readFileSync(join(llama, 'config.json'), 'utf8'))
    const changed = { ...config, transformers_version: '6.0.0', swirl: 3, twist: 1 }
    writeFileSync(join(model, 'config.json'), JSON.stringify(changed))
    const ignoring = (...keys: string[]) =>
      run('inspect', '--model', model, '--json', ...keys.flatMap((key) => ['--ignore-config-key', key]))
    const some = await ignoring('swirl')
    expect(JSON.parse(some.stdout).analysis).toMatchObject({
      problem: expect.stringContaining('twist = 1'),
      hint: expect.stringContaining('--ignore-config-key twist'),
    })
    const all = await ignoring('swirl', 'twist')
    expect(all.stderr).toContain('config.json: twist is ignored')
    expect(JSON.parse(all.stdout)).toMatchObject({
      model: { ignoredConfigKeys: ['swirl', 'twist'] },
      analysis: { possible: true },
    })
  })

  it('ends with 1 if a model cannot be analysed, and says why', async () => {
    const { exitCode, stdout } = await run('inspect', '--model', llama, '--dtype', 'q4', '--quiet')
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(/^Cannot be analysed: .* has no \.onnx graph/m)
  })

  it('ends with 1 if there is no model', async () => {
    const { exitCode, stdout, stderr } = await run('inspect', '--model', './nowhere')
    expect([exitCode, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^error: model folder \.\/nowhere does not exist\n/)
  })
})
