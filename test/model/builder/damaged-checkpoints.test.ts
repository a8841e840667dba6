import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { buildFrom, copyFixture, fixtureFolder, measureBlocks } from '../../support/fixture-model.js'
import { readTensors, writeTensors } from '../../support/tensor-file.js'

const INDEX = 'model.safetensors.index.json'

/** Rewrites the only weight file of a copied fixture. */
function rewrite(name: string, change: (tensors: ReturnType<typeof readTensors>) => void): string {
  const folder = copyFixture(name)
  const path = join(folder, 'model.safetensors')
  const tensors = readTensors(path)
  change(tensors)
  writeTensors(path, tensors)
  return folder
}

function editIndex(name: string, change: (weightMap: Record<string, string>) => void): string {
  const folder = copyFixture(name)
  const index = JSON.parse(readFileSync(join(folder, INDEX), 'utf8'))
  change(index.weight_map)
  writeFileSync(join(folder, INDEX), JSON.stringify(index))
  return folder
}

describe('a damaged checkpoint is refused by the name of what is wrong', () => {
  const norm = 'model.layers.1.post_attention_layernorm.weight'

  it('a tensor is missing', async () => {
    const folder = rewrite('llama', (tensors) => tensors.delete(norm))
    await expect(buildFrom(folder)).rejects.toThrow(`the checkpoint has no tensor ${norm}, expected [32]`)
  })

  it('a tensor has another name', async () => {
    const folder = rewrite('llama', (tensors) => {
      tensors.set('model.layers.1.mlp_norm.weight', tensors.get(norm)!)
      tensors.delete(norm)
    })
    await expect(buildFrom(folder)).rejects.toThrow(`the checkpoint has no tensor ${norm}`)
  })

  it('a tensor has no place', async () => {
    const folder = rewrite('llama', (tensors) => {
      tensors.set('model.layers.1.self_attn.q_proj.bias', tensors.get(norm)!)
    })
    await expect(buildFrom(folder)).rejects.toThrow(/not account for: model\.layers\.1\.self_attn\.q_proj\.bias$/)
  })

  it('a layer is left over', async () => {
    await expect(buildFrom(fixtureFolder('llama'), { num_hidden_layers: 2 })).rejects.toThrow(
      /not account for: model\.layers\.2\.input_layernorm\.weight, .* and 6 more$/,
    )
  })

  it('a layer is lacking', async () => {
    await expect(buildFrom(fixtureFolder('llama'), { num_hidden_layers: 4 })).rejects.toThrow(
      'the checkpoint has no tensor model.layers.3.input_layernorm.weight, expected [32]',
    )
  })

  it('a tensor has another shape', async () => {
    await expect(buildFrom(fixtureFolder('llama'), { num_key_value_heads: 4 })).rejects.toThrow(
      'tensor model.layers.0.self_attn.k_proj.weight has the shape [16, 32], config.json implies [32, 32]',
    )
  })

  it('a tensor has a type that cannot be read', async () => {
    const folder = rewrite('llama', (tensors) => {
      tensors.set(norm, { dtype: 'I32', shape: [32], data: Buffer.alloc(128) })
    })
    await expect(buildFrom(folder)).rejects.toThrow(`tensor ${norm} is stored as I32, expected F32, F16 or BF16`)
  })

  it('the head is missing, and nothing says that it is tied', async () => {
    const folder = rewrite('llama', (tensors) => tensors.delete('lm_head.weight'))
    await expect(buildFrom(folder)).rejects.toThrow('the checkpoint has no tensor lm_head.weight')
  })

  it('a shard is cut short', async () => {
    const folder = copyFixture('mixtral')
    const shard = readdirSync(folder).find((name) => name.startsWith('model-00002'))!
    truncateSync(join(folder, shard), 5000)
    await expect(buildFrom(folder)).rejects.toThrow(new RegExp(`${shard} is truncated: expected \\d+ bytes`))
  })

  it('the index names a shard that is not there', async () => {
    const folder = editIndex('mistral', (map) => {
      map[norm] = 'model-00009-of-00009.safetensors'
    })
    await expect(buildFrom(folder)).rejects.toThrow(/"model-00009-of-00009\.safetensors", which is not in/)
  })

  it('the index puts a tensor into the wrong shard', async () => {
    const folder = editIndex('mistral', (map) => {
      map[norm] = Object.values(map).find((shard) => shard !== map[norm])!
    })
    await expect(buildFrom(folder)).rejects.toThrow(norm)
  })

  it('the index leaves a tensor out', async () => {
    const folder = editIndex('mistral', (map) => {
      delete map[norm]
    })
    await expect(buildFrom(folder)).rejects.toThrow(norm)
  })

  it('the family is not known', async () => {
    const folder = copyFixture('llama')
    const path = join(folder, 'config.json')
    writeFileSync(path, readFileSync(path, 'utf8').replace('"llama"', '"mosaic"'))
    await expect(buildFrom(folder)).rejects.toMatchObject({
      message: expect.stringMatching(/model_type "mosaic", which is not supported; .*arcee, .*llama, .*starcoder2/),
      hint: 'use an ONNX export of the model',
    })
  })
})

describe('a sound checkpoint is read', () => {
  it('from the cache that Python keeps, links into a folder of blobs', async () => {
    const folder = copyFixture('mixtral')
    const snapshot = join(folder, 'snapshots', 'main')
    mkdirSync(snapshot, { recursive: true })
    mkdirSync(join(folder, 'blobs'))
    for (const [position, name] of readdirSync(fixtureFolder('mixtral')).entries()) {
      cpSync(join(fixtureFolder('mixtral'), name), join(folder, 'blobs', `${position}`))
      symlinkSync(join('..', '..', 'blobs', `${position}`), join(snapshot, name))
    }
    const expected = await measureBlocks(await buildFrom(fixtureFolder('mixtral')), 'mixtral')
    expect(await measureBlocks(await buildFrom(snapshot), 'mixtral')).toEqual(expected)
  })

  it('saved without its head', async () => {
    const folder = rewrite('llama', (tensors) => {
      tensors.delete('lm_head.weight')
      for (const [name, tensor] of [...tensors]) {
        tensors.delete(name)
        tensors.set(name.replace(/^model\./, ''), tensor)
      }
    })
    const expected = await measureBlocks(await buildFrom(fixtureFolder('llama')), 'llama')
    const bare = await buildFrom(folder)
    expect(await measureBlocks(bare, 'llama')).toEqual(expected)
    expect(bare.decoder.model.graph!.output.map(({ name }) => name)).toEqual(['last_hidden_state'])
  })

  it('with the buffers that old checkpoints have', async () => {
    const folder = rewrite('llama', (tensors) => {
      tensors.set('model.layers.0.self_attn.rotary_emb.inv_freq', {
        dtype: 'F32',
        shape: [4],
        data: Buffer.alloc(16),
      })
    })
    const expected = await measureBlocks(await buildFrom(fixtureFolder('llama')), 'llama')
    expect(await measureBlocks(await buildFrom(folder), 'llama')).toEqual(expected)
  })

  /** What transformers' classes for other tasks save beside the decoder, with or without its head. */
  it.each([
    ['score.weight', false],
    ['classifier.weight', false],
    ['v_head.summary.weight', true],
    ['v_head.summary.weight', false],
  ])('with %s', async (name, keepsHead) => {
    const folder = rewrite('llama', (tensors) => {
      if (!keepsHead) tensors.delete('lm_head.weight')
      tensors.set(name, { dtype: 'F32', shape: [2, 32], data: Buffer.alloc(256) })
    })
    const expected = await measureBlocks(await buildFrom(fixtureFolder('llama')), 'llama')
    const found = await buildFrom(folder)
    expect(await measureBlocks(found, 'llama')).toEqual(expected)
    const outputs = found.decoder.model.graph!.output.map(({ name }) => name)
    expect(outputs).toEqual([keepsHead ? 'logits' : 'last_hidden_state'])
  })

  it('with a head for another task instead of a tied one', async () => {
    const folder = rewrite('llama-tied', (tensors) => {
      tensors.set('score.weight', { dtype: 'F32', shape: [2, 32], data: Buffer.alloc(256) })
    })
    const { decoder } = await buildFrom(folder)
    expect(decoder.model.graph!.output.map(({ name }) => name)).toEqual(['last_hidden_state'])
  })

  it.each([
    ['gpt2', 'transformer.wpe.weight', 'n_positions', 1024],
    ['gpt-bigcode', 'transformer.wpe.weight', 'n_positions', 1024],
    ['gpt-neo', 'transformer.wpe.weight', 'max_position_embeddings', 2048],
    ['opt', 'model.decoder.embed_positions.weight', 'max_position_embeddings', 2048],
  ])('%s without the number of its positions', async (fixture, name, key, positions) => {
    const folder = rewrite(fixture, (tensors) => {
      const { dtype, shape, data } = tensors.get(name)!
      const rows = positions + (fixture === 'opt' ? 2 : 0)
      const longer = Buffer.concat([data], (rows * data.length) / shape[0]!)
      tensors.set(name, { dtype, shape: [rows, shape[1]!], data: longer })
    })
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, [key]: undefined }))
    const expected = await measureBlocks(await buildFrom(fixtureFolder(fixture)), fixture)
    const found = await buildFrom(folder)
    expect(await measureBlocks(found, fixture)).toEqual(expected)
    expect(found.config.maxPositions).toBe(positions)
  })
})
