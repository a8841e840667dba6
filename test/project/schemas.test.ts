import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { beforeAll, describe, expect, it } from 'vitest'
import { findSchemaProblem } from '../../src/results/documents/json-schema.js'
import type { SchemaName } from '../../src/results/documents/schemas.js'
import { FIXTURES, LLAMA, ROOT, TEXTS } from '../support/paths.js'
import { runProgram } from '../support/run-program.js'
import { writeTaskData } from '../support/task-data.js'
import { makeTempFolder } from '../support/temp-folder.js'

const FOLDER = join(ROOT, 'schemas')
const read = (name: string) => JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8'))
const names = readdirSync(FOLDER).map((file) => file.replace('.json', '')) as SchemaName[]
const cwd = makeTempFolder()
const common = ['--model', LLAMA, '--dataset', TEXTS]

async function printJson(args: string[]): Promise<unknown> {
  const { exitCode, stdout, stderr } = await runProgram([...args, '--json'], { cwd })
  expect({ exitCode, stderr: exitCode === 0 ? '' : stderr }).toEqual({ exitCode: 0, stderr: '' })
  return JSON.parse(stdout)
}

/** A document with each of its values replaced by others or missing, of lists the first. */
function* damage(value: unknown): Generator<unknown> {
  yield* [null, -1, 1.5, 'x', { x: 'x' }]
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value).slice(0, Array.isArray(value) ? 1 : undefined)) {
    const withInner = (other: unknown) =>
      Array.isArray(value) ? value.with(Number(key), other) : { ...value, [key]: other }
    for (const other of damage(inner)) yield withInner(other)
    const { [key]: _, ...rest } = value as Record<string, unknown>
    yield Array.isArray(value) ? value.slice(1) : rest
  }
}

describe('the JSON schemas', () => {
  const outputs = new Map<SchemaName, Record<string, unknown>>()
  beforeAll(async () => {
    const commands: Record<Exclude<SchemaName, 'texts'>, string[]> = {
      similarity: [
        'similarity',
        ...common,
        '--layers-to-skip',
        '1',
        '--dataset-size',
        '4',
        '--verify',
        '2',
        '--metric',
        'angular,euclidean',
      ],
      evaluation: ['evaluate', ...common, '--drop', '1', '--dataset-size', '4'],
      tasks: [
        ...['evaluate', '--model', LLAMA, '--task', 'piqa', '--limit', '2', '--drop', '1'],
        ...['--task-data', `piqa=${writeTaskData(cwd, 'piqa', 2)}`],
      ],
      plan: ['plan', ...common, '--layers-to-skip', '1', '--strategy', 'angular'],
      prune: ['prune', '--model', LLAMA, '--drop', '1', '-o', 'pruned'],
      inspect: ['inspect', '--model', LLAMA],
      sweep: ['sweep', ...common, '--dataset-size', '3', '--max-perplexity-ratio', '100', '-o', 'sweep'],
      export: ['export', '--model', join(FIXTURES, 'families/llama'), '--to', 'onnx', '-o', 'exported'],
      recipe: ['recipe', '--model', join(FIXTURES, 'families/llama'), '--dataset', TEXTS],
      heal: [
        ...['heal', '--model', join(FIXTURES, 'families/llama'), '--dataset', TEXTS, '-o', 'healed'],
        ...['--steps', '1', '--max-length', '16', '--evaluate-size', '2', '--quiet'],
      ],
    }
    for (const [name, args] of Object.entries(commands)) {
      outputs.set(name as SchemaName, (await printJson(args)) as Record<string, unknown>)
    }
    outputs.set('texts', JSON.parse(readFileSync(join(cwd, 'healed/layerprune-texts.json'), 'utf8')))
  })

  it.each(names)('%s is a schema of draft 2020-12 that fits what the program prints', async (name) => {
    const schema = read(name)
    expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema')
    expect(new Ajv2020().validateSchema(schema)).toBe(true)
    const output = outputs.get(name)!
    expect(schema.properties.schema.const).toBe(output.schema)
    expect(findSchemaProblem(name, output)).toBeNull()
  })

  it.each(names)('%s describes every key that is printed', (name) => {
    const described = Object.keys(read(name).properties)
    expect(Object.keys(outputs.get(name)!).filter((key) => !described.includes(key))).toEqual([])
  })

  it.each(names)('%s refuses a document that lacks a key or is of another kind', async (name) => {
    const output = outputs.get(name)!
    for (const key of read(name).required as string[]) {
      const { [key]: _, ...rest } = output
      expect(findSchemaProblem(name, rest)).toBe(`the document must have required property '${key}'`)
    }
    expect(findSchemaProblem(name, { ...output, schema: 'other/1' })).toContain('/schema must be equal')
  })

  it.each(names)('%s refuses every damaged value that another validator refuses', (name) => {
    const other = new Ajv2020({ strictTypes: false })
    for (const file of names) other.addSchema(read(file))
    const validate = other.getSchema(`urn:layerprune:${name}:1`)!
    let refused = 0
    for (const damaged of damage(outputs.get(name))) {
      const problem = findSchemaProblem(name, damaged)
      expect({ damaged, problem, refused: problem !== null }).toMatchObject({ refused: !validate(damaged) })
      if (problem !== null) refused++
    }
    expect(refused).toBeGreaterThan(20)
  })

  it('describes interrupted runs and shards', async () => {
    const args = ['similarity', ...common, '--layers-to-skip', '1', '--shard', '1/2', '-o', 'shards']
    const shard = (await printJson(args)) as Record<string, unknown>
    expect(shard.progress).toBeDefined()
    expect(findSchemaProblem('similarity', shard)).toBeNull()
    expect(findSchemaProblem('similarity', { ...shard, partial: true })).toBeNull()
  })
})
