import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { openModel, prepareModel } from '../../../src/engine/model.js'
import { readExpression } from '../../../src/engine/sessions/read-floats.js'
import { inspectModel } from '../../../src/jobs/inspect/inspect-model.js'
import { fingerprintModel } from '../../../src/jobs/run/fingerprint.js'
import { findSchemaProblem } from '../../../src/results/documents/json-schema.js'
import { fixtureFolder, measureTexts, readReference } from '../../support/fixture-model.js'
import { filesOf } from '../../support/hub/repos.js'
import { startHubServer } from '../../support/hub/server.js'
import { largestDifference } from '../../support/largest-difference.js'
import { FIXTURES, TEXTS } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'
import { writeTensors } from '../../support/tensor-file.js'

const adapterFolder = (name: string) => join(FIXTURES, 'adapters', name)

/** A copy of an adapter whose config has some keys changed, and whose base is found from anywhere. */
function copyAdapter(name: string, changes: Record<string, unknown> = {}): string {
  const folder = makeTempFolder()
  cpSync(adapterFolder(name), folder, { recursive: true })
  const path = join(folder, 'adapter_config.json')
  const config = JSON.parse(readFileSync(path, 'utf8'))
  const base = { base_model_name_or_path: fixtureFolder(name) }
  writeFileSync(path, JSON.stringify({ ...config, ...base, ...changes }))
  return folder
}

/** Largest difference to the distances of the model that PEFT merged. */
async function differenceOf(name: string, options: Parameters<typeof openModel>[0]): Promise<number> {
  const { texts } = readReference(fixtureFolder(name))
  const { all } = readReference(adapterFolder(name))
  const measured = await measureTexts(await prepareModel(await openModel(options)), texts, name)
  return largestDifference([...measured], Object.values(all).flat())
}

describe('an adapter', () => {
  it.each(['llama', 'gpt2', 'qwen2'])('of %s has the distances of the model that PEFT merges', async (name) => {
    expect(await differenceOf(name, { model: copyAdapter(name) })).toBeLessThan(1e-6)
  })

  it('changes the distances', async () => {
    const { all } = readReference(fixtureFolder('llama'))
    const merged = readReference(adapterFolder('llama')).all
    expect(largestDifference(Object.values(all).flat(), Object.values(merged).flat())).toBeGreaterThan(1e-2)
  })

  it('is merged into the base that --base names, before that of its config', async () => {
    const model = copyAdapter('llama', { base_model_name_or_path: 'nowhere/at-all' })
    expect(await differenceOf('llama', { model, base: fixtureFolder('llama') })).toBeLessThan(1e-6)
  })

  it('can be computed in int8', async () => {
    expect(await differenceOf('qwen2', { model: copyAdapter('qwen2'), dtype: 'q8' })).toBeLessThan(0.02)
  })

  it('is merged into a packed weight after that is decoded', async () => {
    const base = join(FIXTURES, 'packed/bnb-nf4')
    const model = copyAdapter('llama', {
      base_model_name_or_path: base,
      rank_pattern: {},
      r: 1,
      lora_alpha: 3,
    })
    const weight = 'model.layers.0.mlp.down_proj.weight'
    const [into, back] = [96, 64].map((size) => Float32Array.from({ length: size }, (_, index) => index - 20))
    const name = `base_model.model.${weight.replace('.weight', '')}.lora`
    writeTensors(
      join(model, 'adapter_model.safetensors'),
      new Map([
        [`${name}_A.weight`, { dtype: 'F32', shape: [1, 96], data: Buffer.from(into!.buffer) }],
        [`${name}_B.weight`, { dtype: 'F32', shape: [64, 1], data: Buffer.from(back!.buffer) }],
      ]),
    )
    const read = async (options: Parameters<typeof openModel>[0]) =>
      readExpression((await openModel(options)).tensors!.get(weight)!.expression!)
    const [whole, merged] = [await read({ model: base }), await read({ model })]
    const expected = whole.map((value, index) => {
      const [row, column] = [Math.floor(index / 96), index % 96]
      return value + 3 * back![row]! * into![column]!
    })
    expect([...merged]).toEqual([...expected])
  })

  it('has a fingerprint of its own, which its config is part of', async () => {
    const folder = makeTempFolder()
    const fingerprint = async (model: string) => fingerprintModel(await openModel({ model }), { folder })
    const prints = await Promise.all(
      [fixtureFolder('llama'), copyAdapter('llama'), copyAdapter('llama', { lora_alpha: 7 })].map(fingerprint),
    )
    expect(new Set(prints).size).toBe(3)
    expect(await fingerprint(copyAdapter('llama'))).toBe(prints[1])
  })

  it('has the tokenizer of its folder, or else of its base', async () => {
    const [own, without] = [copyAdapter('llama'), copyAdapter('llama')]
    for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
      cpSync(join(fixtureFolder('llama'), name), join(own, name))
    }
    expect((await openModel({ model: own })).tokenizer).toBe(own)
    expect((await openModel({ model: without })).tokenizer).toBe(fixtureFolder('llama'))
  })

  it('is inspected with its base', async () => {
    const model = copyAdapter('llama')
    const found = await inspectModel({ model })
    expect(found.model).toMatchObject({ id: model, base: { id: fixtureFolder('llama'), revision: null } })
    expect(found.files.map(({ file }) => file)).toEqual(['adapter_model.safetensors', 'model.safetensors'])
    expect(found.analysis).toMatchObject({ possible: true, packing: null })
  })

  it('is measured by the program, its base named from the working folder', async () => {
    const cwd = makeTempFolder()
    const model = copyAdapter('llama', { base_model_name_or_path: relative(cwd, fixtureFolder('llama')) })
    const args = ['similarity', '--model', model, '--dataset', TEXTS, '--dataset-size', '2', '--layers-to-skip', '1']
    const { exitCode, stderr } = await runProgram(args, { cwd })
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 })
    expect(readFileSync(join(cwd, 'layerprune-output/slice.yaml'), 'utf8')).toContain('# this is an adapter')
    expect(stderr).toContain(`adapter_model.safetensors of ${model} is merged into the weights of`)
    const result = JSON.parse(readFileSync(join(cwd, 'layerprune-output/similarity.json'), 'utf8'))
    expect(result.model.base).toEqual({ id: relative(cwd, fixtureFolder('llama')), revision: null })
    expect(findSchemaProblem('similarity', result)).toBeNull()
  })
})

describe('an adapter on the Hub', () => {
  it('is merged into the revision of the base that its config names', async () => {
    const server = await startHubServer()
    vi.stubEnv('HF_ENDPOINT', server.endpoint)
    vi.stubEnv('HF_HOME', makeTempFolder())
    try {
      const config = { base_model_name_or_path: 'org/base', revision: 'v1' }
      server.add(
        { type: 'model', id: 'org/adapter', files: filesOf(copyAdapter('llama', config)) },
        {
          type: 'model',
          id: 'org/base',
          files: { 'README.md': 'moved' },
          branches: { v1: filesOf(fixtureFolder('llama')) },
        },
      )
      expect(await differenceOf('llama', { model: 'org/adapter' })).toBeLessThan(1e-6)
      const { model } = await inspectModel({ model: 'org/adapter' })
      expect(model).toMatchObject({
        id: 'org/adapter',
        revision: server.commitOf('org/adapter'),
        base: { id: 'org/base', revision: server.commitOf('org/base', 'v1') },
      })
    } finally {
      vi.unstubAllEnvs()
      await server.close()
    }
  })
})

describe('an adapter is refused', () => {
  it.each<[what: string, changes: Record<string, unknown>, message: RegExp, hint: RegExp]>([
    ['of another kind', { peft_type: 'IA3' }, /peft_type "IA3"/, /merge_and_unload/],
    ['of DoRA', { use_dora: true }, /"use_dora" true/, /merge_and_unload/],
    ['with biases of its own', { lora_bias: true }, /"lora_bias" true/, /merge_and_unload/],
    ['of parameters', { target_parameters: ['experts.down_proj'] }, /"target_parameters"/, /merge_and_unload/],
    ['that changes the base', { init_lora_weights: 'pissa_niter_4' }, /pissa_niter_4/, /merge_and_unload/],
    ['with a key that is not known', { use_swirl: 3 }, /"use_swirl" 3/, /merge_and_unload/],
    ['of another rank', { r: 5 }, /expected matrices of rank 5/, /merge_and_unload/],
    ['with a scale that is no number', { lora_alpha: '6' }, /lora_alpha must be a number/, /same adapter/],
    ['without a base', { base_model_name_or_path: null }, /does not name its base/, /`base`/],
    ['with a missing base', { base_model_name_or_path: '/nowhere' }, /base model.*does not exist/, /`base`/],
    [
      'of another base',
      { base_model_name_or_path: fixtureFolder('gpt2') },
      /no weight of the base/,
      /merge_and_unload/,
    ],
  ])('%s', async (_, changes, message, hint) => {
    await expect(openModel({ model: copyAdapter('llama', changes) })).rejects.toMatchObject({
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    })
  })

  it('if it changes a table that is also the head', async () => {
    const model = copyAdapter('llama')
    const base = makeTempFolder()
    cpSync(fixtureFolder('llama'), base, { recursive: true })
    const config = JSON.parse(readFileSync(join(base, 'config.json'), 'utf8'))
    writeFileSync(join(base, 'config.json'), JSON.stringify({ ...config, tie_word_embeddings: true }))
    await expect(openModel({ model, base })).rejects.toThrow(/both the embedding table and the head/)
  })

  it('of a base of other sizes', async () => {
    const model = copyAdapter('qwen2', { base_model_name_or_path: fixtureFolder('qwen3') })
    await expect(openModel({ model })).rejects.toMatchObject({
      message: expect.stringMatching(
        /q_proj" of the adapter is for a weight of \[32, 32\], but .*q_proj\.weight of .* is \[64, 32\]/,
      ),
      hint: expect.stringContaining('`base`'),
    })
  })

  it('without its weights', async () => {
    const model = copyAdapter('llama')
    rmSync(join(model, 'adapter_model.safetensors'))
    await expect(openModel({ model })).rejects.toThrow(/no adapter_model\.safetensors/)
  })

  it('in a precision that it is not merged in', async () => {
    await expect(openModel({ model: copyAdapter('llama'), dtype: 'bf16' })).rejects.toThrow(/merged in fp32/)
  })

  it('by the program, which says what to do to prune it', async () => {
    const cwd = makeTempFolder()
    const model = copyAdapter('llama')
    const pruned = await runProgram(['prune', '--model', model, '--drop', '1:2', '-o', 'out'], { cwd })
    expect(pruned.exitCode).toBe(1)
    expect(pruned.stderr).toMatch(/is an adapter.*not changed/s)
    expect(pruned.stderr).toMatch(/hint: merge it into .* with peft \(merge_and_unload\)/s)
    const whole = ['inspect', '--model', fixtureFolder('llama'), '--base', model]
    expect(await runProgram(whole, { cwd })).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('is no adapter'),
    })
  })
})
