import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LayerpruneError } from '../../../src/base/errors.js'
import { interpretConfig } from '../../../src/files/checkpoint/config.js'
import { openSafetensors, type SafetensorsCheckpoint } from '../../../src/files/checkpoint/safetensors.js'
import { UndirectedStateError } from '../../../src/jobs/similarity/distances.js'
import { buildDecoder } from '../../../src/model/builder/build-decoder.js'
import { fixtureFolder, measureBlocks } from '../../support/fixture-model.js'
import { sample } from '../../support/long-tests.js'

type Config = Record<string, unknown>

const VALUES = [1e9, 1e308, -1, 0, 1.5, 'x', null]
/** Of the configs that are understood, one in so many is run. */
const RUN_EVERY = 20
const MAX_MILLISECONDS = 1000
const MAX_GROWTH_BYTES = 100e6

/** Every config that differs from this one in one number, at any depth. */
function* vary(config: Config): Generator<[what: string, Config]> {
  for (const [key, value] of Object.entries(config)) {
    if (typeof value === 'number') {
      for (const other of VALUES) yield [`${key} = ${other}`, { ...config, [key]: other }]
    } else if (Array.isArray(value)) {
      const varied = vary(Object.fromEntries(value.entries()))
      for (const [what, items] of varied) yield [`${key}.${what}`, { ...config, [key]: Object.values(items) }]
    } else if (typeof value === 'object' && value !== null) {
      for (const [what, inner] of vary(value as Config)) yield [`${key}.${what}`, { ...config, [key]: inner }]
    }
  }
}

/** A decoder, or the error that a user would see. */
function build(changed: Config, checkpoint: SafetensorsCheckpoint) {
  try {
    const config = interpretConfig(changed, 'config.json')
    return { config, decoder: buildDecoder(config, checkpoint) }
  } catch (error) {
    if (error instanceof LayerpruneError) return error
    throw error
  }
}

describe('a number of config.json that cannot be ends in a clear error, in no time and memory', () => {
  it.each(
    sample(
      [
        'bloom',
        'gemma3',
        'gpt-neo',
        'llama-yarn',
        'minicpm',
        'ministral3',
        'mpt',
        'opt',
        'phi3-longrope',
        'phimoe',
        'qwen2-moe',
        'stablelm-parallel',
        'xglm',
      ],
      3,
    ),
  )('%s', async (name) => {
    const folder = fixtureFolder(name)
    const original: Config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
    const checkpoint = await openSafetensors(folder)
    const understood: string[] = []
    for (const [what, changed] of vary(original)) {
      const memory = process.memoryUsage().rss
      const start = performance.now()
      const outcome = build(changed, checkpoint)
      expect(performance.now() - start, what).toBeLessThan(MAX_MILLISECONDS)
      expect(process.memoryUsage().rss - memory, what).toBeLessThan(MAX_GROWTH_BYTES)
      if (outcome instanceof LayerpruneError) {
        expect(outcome.message, what).toMatch(/^[^\n]{10,400}$/)
        continue
      }
      understood.push(what)
      if (understood.length % RUN_EVERY === 0) await expectDistances(measureBlocks(outcome, name))
    }
    expect(understood).toContain('bos_token_id = 1000000000')
    expect(understood).not.toContain('vocab_size = 1000000000')
  })
})

async function expectDistances(running: Promise<Float64Array>): Promise<void> {
  const outcome = await running.catch((error: unknown) => error)
  if (outcome instanceof Error) expect(outcome).toBeInstanceOf(UndirectedStateError)
  else expect([...(outcome as Float64Array)].every((distance) => distance >= 0 && distance <= 1)).toBe(true)
}

describe('by name', () => {
  const cases: [string, Config, RegExp][] = [
    ['llama', { num_hidden_layers: 1e9 }, /config\.json states 1000000000 layers, expected at most 100000$/],
    ['llama', { num_hidden_layers: 99_999 }, /num_hidden_layers is 99999, expected at most 30, the number of/],
    ['qwen2', { hidden_size: 1e9 }, /hidden_size is 1000000000, expected at most 300, the longest axis/],
    ['llama', { head_dim: 1e9 }, /head_dim is 1000000000, expected at most 300/],
    ['llama', { rms_norm_eps: 1e308 }, /rms_norm_eps is 1e\+308, expected a number that float32 can hold/],
    ['gpt-neo', { attention_types: [[['global'], 1e9]] }, /attention_types is .*, expected global or local/],
    ['gemma2', { query_pre_attn_scalar: 0 }, /query_pre_attn_scalar is 0, expected a number over 0/],
    ['qwen2', { num_attention_heads: 64 }, /64 attention heads for a hidden size of 32/],
  ]
  it.each(cases)('%s with %j', async (name, changes, message) => {
    const folder = fixtureFolder(name)
    const config: Config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
    const outcome = build({ ...config, ...changes }, await openSafetensors(folder))
    expect(outcome).toBeInstanceOf(LayerpruneError)
    expect((outcome as LayerpruneError).message).toMatch(message)
  })
})
