import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AutoModelForCausalLM, env, Tensor } from '@huggingface/transformers'
import { beforeAll, describe, expect, it } from 'vitest'
import { FIXTURES, ROOT } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const MODEL = join(ROOT, 'examples/model')
const cwd = makeTempFolder()
const run = (...args: string[]) => runProgram(['export', ...args], { cwd })
const readJson = (path: string) => JSON.parse(readFileSync(join(cwd, path), 'utf8'))

interface Case {
  model: string
  removed: { start: number; end: number }[]
  endTokens: number[]
  beginnings: number[][]
  continuations: number[][]
}
/** What transformers continues texts by, from make-generation.py. */
const CASES: Case[] = JSON.parse(readFileSync(join(FIXTURES, 'generation.json'), 'utf8'))

describe('export --to onnx', () => {
  beforeAll(async () => {
    const args = ['--model', MODEL, '--to', 'onnx', '--dtype', 'fp32,q8,q4f16', '-o', 'out']
    const { exitCode, stdout, stderr } = await run(...args)
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.stringContaining('reading model.safetensors') })
    expect(stdout).toMatch(/fp32 +onnx\/model.onnx +[\d.]+ [kM]B +([\d.e+]+) +\1 +80 of 80\n/)
    expect(stdout).toMatch(/Wrote \d+ files, [\d.]+ MB to out.\n/)
  })

  it('writes what transformers.js and the Hub read', () => {
    expect(readdirSync(join(cwd, 'out')).sort()).toEqual(
      expect.arrayContaining(['README.md', 'config.json', 'onnx', 'tokenizer.json', 'tokenizer_config.json']),
    )
    expect(readJson('out/config.json')['transformers.js_config']).toEqual({
      dtype: 'fp32',
      use_external_data_format: { 'model.onnx': 1, 'model_quantized.onnx': 1, 'model_q4f16.onnx': 1 },
      kv_cache_dtype: { q4f16: 'float16' },
    })
    expect(readFileSync(join(cwd, 'out/README.md'), 'utf8')).toContain('library_name: transformers.js')
  })

  it('gives the tokens of transformers in transformers.js, whole and without layers', { timeout: 60_000 }, async () => {
    env.allowRemoteModels = false
    env.localModelPath = `${cwd}/`
    const cases = CASES.filter(({ model }) => model === 'examples/model')
    expect(cases.length).toBeGreaterThan(1)
    for (const { removed, beginnings, continuations, endTokens } of cases) {
      const name = removed.length === 0 ? 'out' : 'cut'
      if (name === 'cut') {
        const drop = removed.map(({ start, end }) => `${start}:${end}`).join(',')
        const { exitCode } = await run('--model', MODEL, '--drop', drop, '--to', 'onnx', '--dtype', 'fp32', '-o', 'cut')
        expect(exitCode).toBe(0)
      }
      const model = await AutoModelForCausalLM.from_pretrained(name, { dtype: 'fp32' })
      for (const [text, ids] of beginnings.entries()) {
        const tensor = (values: number[]) => new Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length])
        const output = await model.generate({
          ...{ input_ids: tensor(ids), attention_mask: tensor(ids.map(() => 1)) },
          ...{ max_new_tokens: continuations[text]!.length, do_sample: false, eos_token_id: endTokens },
        } as never)
        const all = [...(output as unknown as { data: BigInt64Array }).data].map(Number)
        expect(all.slice(ids.length, ids.length + continuations[text]!.length)).toEqual(continuations[text])
      }
      await model.dispose()
      if (name === 'cut') break
    }
  })

  it('writes what transformers.js cannot do without: a generation config, and the template in the tokenizer’s', async () => {
    const source = join(cwd, 'bare')
    cpSync(MODEL, source, { recursive: true })
    rmSync(join(source, 'generation_config.json'))
    writeFileSync(join(source, 'chat_template.jinja'), '{{ messages[0].content }}')
    const { exitCode } = await run('--model', 'bare', '--to', 'onnx', '--dtype', 'q8', '--no-check', '-o', 'chat')
    expect(exitCode).toBe(0)
    const { eos_token_id: end } = readJson('bare/config.json')
    expect(end).toEqual(expect.any(Number))
    expect(readJson('chat/generation_config.json')).toMatchObject({ eos_token_id: end })
    expect(readJson('chat/tokenizer_config.json')).toEqual({
      ...readJson('bare/tokenizer_config.json'),
      chat_template: '{{ messages[0].content }}',
    })
  })

  it('says what it would write, and writes nothing', async () => {
    const { exitCode, stdout } = await run('--model', MODEL, '--to', 'onnx', '-o', 'dry', '--dry-run')
    expect(exitCode).toBe(0)
    expect(stdout).toContain('Would write')
    expect(existsSync(join(cwd, 'dry'))).toBe(false)
  })

  it.each([
    [
      'an unknown dtype',
      ['--to', 'onnx', '--dtype', 'q5'],
      2,
      /error: --dtype q5: ONNX graphs are written in fp32, fp16/,
    ],
    ['a dtype of the other format', ['--to', 'gguf', '--dtype', 'q4f16'], 2, /error: --dtype q4f16: GGUF files are/],
    ['a Modelfile of graphs', ['--to', 'onnx', '--modelfile'], 2, /error: --modelfile is for GGUF files\n/],
    ['layers that are not there', ['--to', 'onnx', '--drop', '90:95'], 2, /error: /],
    [
      'a folder that is there',
      ['--to', 'onnx', '-o', 'out'],
      1,
      /error: out already exists\nhint: name another folder/,
    ],
  ])('refuses %s', async (_, args, code, message) => {
    const output = args.includes('-o') ? [] : ['-o', 'refused']
    const { exitCode, stdout, stderr } = await run('--model', MODEL, ...args, ...output)
    expect({ exitCode, stdout }).toEqual({ exitCode: code, stdout: '' })
    expect(stderr).toMatch(message)
    expect(existsSync(join(cwd, 'refused'))).toBe(false)
  })

  it('refuses a model that is a graph already', async () => {
    cpSync(join(cwd, 'out'), join(cwd, 'graph'), { recursive: true })
    const { exitCode, stderr } = await run('--model', 'graph', '--to', 'onnx', '-o', 'again')
    expect(exitCode).toBe(1)
    expect(stderr).toContain('error: graph is an ONNX graph already\nhint: name the model that it was made of')
  })
})

describe('export --to gguf', () => {
  it('writes files that predict the texts as the model does, whole and without layers', async () => {
    const model = join(FIXTURES, 'families/llama')
    const { exitCode, stdout } = await run(
      '--model',
      model,
      '--to',
      'gguf',
      '--dtype',
      'F32,q8_0',
      '-o',
      'gguf',
      '--json',
    )
    expect(exitCode).toBe(0)
    const { exported } = JSON.parse(stdout)
    expect(exported.map(({ name }: { name: string }) => name)).toEqual(['gguf-F32.gguf', 'gguf-Q8_0.gguf'])
    const { source, exported: own } = exported[0].check.perplexity
    expect(own / source).toBeCloseTo(1, 5)
    const cut = await run('--model', model, '--drop', '1', '--to', 'gguf', '--dtype', 'F32', '-o', 'cut-gguf')
    expect(cut.exitCode).toBe(0)
    expect(cut.stdout).toContain('without layer 1')
  })

  it('becomes ONNX again', async () => {
    const { exitCode, stdout } = await run(
      '--model',
      'gguf/gguf-F32.gguf',
      '--to',
      'onnx',
      '--dtype',
      'fp32',
      '-o',
      'back',
    )
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/onnx\/model.onnx/)
    expect(existsSync(join(cwd, 'back/tokenizer.json'))).toBe(true)
  })
})

describe('prune --export', () => {
  const prune = (...args: string[]) => runProgram(['prune', '--model', MODEL, '--no-speed', ...args], { cwd })

  it('exports what it wrote into folders beside it', async () => {
    const args = ['--drop', '3:5', '-o', 'pruned', '--export', 'onnx:q8,gguf:F16,onnx:fp32', '--json']
    const { exitCode, stdout, stderr } = await prune(...args)
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.stringContaining('pruned is complete') })
    const { exports } = JSON.parse(stdout)
    expect(exports.map(({ layers, removed }: { layers: number; removed: [] }) => ({ layers, removed }))).toEqual([
      { layers: 10, removed: [] },
      { layers: 10, removed: [] },
    ])
    expect(exports[0].exported[1].check.tokens).toEqual({ same: 80, all: 80 })
    expect(readdirSync(join(cwd, 'pruned-onnx/onnx')).sort()).toEqual([
      ...['model.onnx', 'model.onnx_data', 'model_quantized.onnx', 'model_quantized.onnx_data'],
    ])
    expect(readdirSync(join(cwd, 'pruned-gguf')).sort()).toEqual(['README.md', 'pruned-F16.gguf'])
    expect(existsSync(join(cwd, 'pruned/model.safetensors'))).toBe(true)
  })

  it.each([
    ['gguf:q4f16', 2, /error: --dtype q4f16: GGUF files are written in F32/],
    ['tflite', 2, /argument 'tflite' is invalid. Expected onnx or gguf with a type/],
  ])('refuses %s before it writes anything', async (formats, expected, message) => {
    const { exitCode, stdout, stderr } = await prune('--drop', '3:5', '-o', 'refused', '--export', formats)
    expect({ exitCode, stdout }).toEqual({ exitCode: expected, stdout: '' })
    expect(stderr).toMatch(message)
    expect(existsSync(join(cwd, 'refused'))).toBe(false)
  })

  it('refuses to replace an export that is there, before it writes anything', async () => {
    cpSync(join(cwd, 'pruned-onnx'), join(cwd, 'fresh-onnx'), { recursive: true })
    const { exitCode, stderr } = await prune('--drop', '3:6', '-o', 'fresh', '--export', 'onnx')
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/^error: .*fresh-onnx/m)
    expect(existsSync(join(cwd, 'fresh'))).toBe(false)
  })
})
