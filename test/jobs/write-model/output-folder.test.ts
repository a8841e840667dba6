import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { type PruneOptions, pruneModel } from '../../../src/jobs/prune/prune.js'
import { fixtureFolder } from '../../support/fixture-model.js'
import { makeTempFolder } from '../../support/temp-folder.js'

let place: string
beforeEach(() => {
  place = makeTempFolder()
})

const plan = { strategy: 'explicit', removed: [{ start: 1, end: 2 }] }
const prune = (output: string, options: Partial<PruneOptions> = {}) =>
  pruneModel({ model: fixtureFolder('llama'), output: join(place, output), plan, ...options })

function write(folder: string, ...names: string[]): void {
  for (const name of names) {
    mkdirSync(join(place, folder, name, '..'), { recursive: true })
    writeFileSync(join(place, folder, name), '')
  }
}

describe('--force replaces', () => {
  it.each([
    ['what prune wrote', ['config.json', 'layerprune-plan.json', 'README.md']],
    ['a model of safetensors', ['config.json', 'model-00001-of-00002.safetensors', 'merges.txt', '.gitattributes']],
    ['a model of graphs', ['onnx/model.onnx', 'onnx/model.onnx_data_1', 'additional_chat_templates/tools.jinja']],
    ['files that the pruned model has too', ['model.safetensors', 'reference.json']],
  ])('%s', async (_, names) => {
    write('out', ...names)
    const { files } = await prune('out', { force: true })
    expect(readdirSync(place)).toEqual(['out'])
    expect(readdirSync(join(place, 'out')).sort()).toEqual(files.map(({ name }) => name).sort())
  })
})

describe('--force never replaces', () => {
  it.each([
    ['config.json alone', ['config.json'], 'holds no model (no weights and no layerprune-plan.json)'],
    ['a project', ['config.json', 'package.json', 'src/thesis.tex'], 'holds no model'],
    ['a model beside a text', ['model.safetensors', 'thesis.txt'], 'holds thesis.txt, which is not known'],
    ['a model beside code', ['model.safetensors', 'main.py'], 'holds main.py'],
    ['a model beside a folder', ['model.safetensors', 'src/thesis.tex'], 'holds src, which is not known'],
    ['a model with more in its onnx folder', ['model.safetensors', 'onnx/notes.md'], 'holds onnx/notes.md'],
    ['a Python package', ['model.safetensors', 'package.json'], 'holds package.json'],
  ])('%s', async (_, names, message) => {
    write('out', ...names)
    await expect(prune('out', { force: true })).rejects.toThrow(message)
    for (const name of names) expect(existsSync(join(place, 'out', name))).toBe(true)
  })
})

describe('what a killed run left', () => {
  const age = (path: string) => utimesSync(path, new Date(0), new Date(0))

  it('is removed once it is old, and only that', async () => {
    const [old, young] = ['.out.layerprune-partial-01234567', '.out.layerprune-partial-89abcdef']
    const others = ['.out.layerprune-partial-notes', '.other.layerprune-partial-01234567']
    for (const folder of [old, young, ...others]) {
      write(folder, 'model.safetensors')
      if (folder !== young) age(join(place, folder, 'model.safetensors'))
      age(join(place, folder))
    }
    await prune('out')
    expect(readdirSync(place).sort()).toEqual([...others, young, 'out'].sort())
  })

  it('between two renames is put back', async () => {
    await prune('out')
    const before = readdirSync(join(place, 'out'))
    renameSync(join(place, 'out'), join(place, '.out.layerprune-replaced-01234567'))
    const notes: string[] = []
    await expect(prune('out', { onNote: (note) => notes.push(note) })).rejects.toThrow('already exists')
    expect(notes).toEqual([
      `put back ${join(place, 'out')}, which an interrupted run had moved to .out.layerprune-replaced-01234567`,
    ])
    expect(readdirSync(place)).toEqual(['out'])
    expect(readdirSync(join(place, 'out'))).toEqual(before)
  })
})

it('a name of 80 letters of three bytes is no hindrance', async () => {
  const name = '模'.repeat(80)
  await prune(name)
  await prune(name, { force: true })
  expect(readdirSync(place)).toEqual([name])
})

describe('a graph', () => {
  it('that the model has beside safetensors is replaced with its data', async () => {
    cpSync(fixtureFolder('llama'), join(place, 'out'), { recursive: true })
    write('out', 'onnx/model_q4.onnx', 'onnx/model.onnx.data')
    await prune('out', { force: true })
    expect(existsSync(join(place, 'out/onnx'))).toBe(false)
  })
})
