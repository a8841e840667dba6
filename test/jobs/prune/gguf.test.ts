import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openModel } from '../../../src/engine/model.js'
import { idOfGgmlType } from '../../../src/files/checkpoint/ggml-types.js'
import { type GgufFile, openGguf } from '../../../src/files/gguf/gguf-file.js'
import { encodeFloats } from '../../../src/files/weights/encode-floats.js'
import { pruneModel } from '../../../src/jobs/prune/prune.js'
import { cutBlocks } from '../../../src/model/graph/cut.js'
import { count, encodeGguf, type Value } from '../../support/gguf-file.js'
import { BY_NUMBER, cutOf, GGUF, GGUF_NAMES, pruneGguf } from '../../support/gguf-fixtures.js'
import { largestDifference } from '../../support/largest-difference.js'
import { sample } from '../../support/long-tests.js'
import { runDecoder } from '../../support/run-decoder.js'
import { makeTempFolder } from '../../support/temp-folder.js'

describe('a pruned GGUF file computes what the cut graph does', () => {
  const checked = new Set([...sample(GGUF_NAMES, 4), ...Object.keys(BY_NUMBER)])

  it.each([...checked])('%s', async (name) => {
    const block = cutOf(name)
    const whole = await openModel({ model: join(GGUF, name) })
    const pruned = await openModel({ model: await pruneGguf(join(GGUF, name), block) })
    expect(pruned.config.layers).toBe(whole.config.layers - (block.end - block.start))
    const expected = await runDecoder(cutBlocks(whole.decoder, [block]), whole.config)
    const found = await runDecoder(pruned.decoder, pruned.config)
    const largest = expected.reduce((a, b) => Math.max(a, Math.abs(b)), 0)
    expect(largestDifference(found, expected) / largest).toBeLessThan(1e-5)
  })

  it.each(Object.entries(BY_NUMBER))('%s is refused if its rule does not fit', async (name, { refused }) => {
    await expect(pruneGguf(join(GGUF, name), { start: 1, end: 2 })).rejects.toMatchObject({
      name: 'LayerpruneError',
      message: expect.stringContaining(refused),
      hint: expect.stringMatching(/^remove other layers/),
    })
  })
})

/** Bytes of a tensor by its name. */
function readBytes({ tensors }: GgufFile): Map<string, string> {
  return new Map(
    [...tensors.values()].map(({ name, file, offsetBytes, sizeBytes }) => [
      name,
      readFileSync(file)
        .subarray(offsetBytes, offsetBytes + sizeBytes)
        .toString('base64'),
    ]),
  )
}

describe('what is copied', () => {
  it('is every tensor that is kept, and all metadata but what counts layers', async () => {
    const whole = await openGguf(join(GGUF, 'lfm2-moe.gguf'))
    const pruned = await openGguf(await pruneGguf(join(GGUF, 'lfm2-moe.gguf'), { start: 0, end: 1 }))
    const before = readBytes(whole)
    for (const [name, bytes] of readBytes(pruned)) {
      const old = name.replace(/^blk\.(\d+)/, (_, layer) => `blk.${Number(layer) + 1}`)
      expect(bytes).toBe(before.get(old))
    }
    const changed = [...whole.header.metadata].flatMap(([key, entry]) => {
      const { value, count } = pruned.header.metadata.get(key)!
      return JSON.stringify([value, count]) === JSON.stringify([entry.value, entry.count]) ? [] : [key]
    })
    expect(changed.sort()).toEqual([
      'lfm2moe.attention.head_count_kv',
      'lfm2moe.block_count',
      'lfm2moe.leading_dense_block_count',
    ])
    expect([...pruned.header.metadata.keys()]).toEqual([...whole.header.metadata.keys()])
  })
})

describe('a model in several parts', () => {
  /** llama.gguf in three parts, the second with layer 1 alone. */
  async function split(): Promise<string> {
    const folder = makeTempFolder()
    const { header, tensors } = await openGguf(join(GGUF, 'llama.gguf'))
    const content = readFileSync(join(GGUF, 'llama.gguf'))
    const metadata = Object.fromEntries(
      [...header.metadata].map(([key, { type, elementType, value }]) => [key, { type, elementType, value }]),
    ) as Record<string, Value>
    const partOf = (name: string) => (name.startsWith('blk.1.') ? 1 : /^(blk\.2|output)/.test(name) ? 2 : 0)
    for (const part of [0, 1, 2]) {
      const own = [...tensors.values()].filter(({ name }) => partOf(name) === part)
      const encoded = own.map(({ name, shape, type, offsetBytes, sizeBytes }) => ({
        name,
        sizes: shape.toReversed(),
        type: idOfGgmlType(type.name),
        bytes: content.subarray(offsetBytes, offsetBytes + sizeBytes),
      }))
      const counts = {
        'split.no': count(part),
        'split.count': count(3),
        'split.tensors.count': count(tensors.size),
      }
      const bytes = encodeGguf({ ...(part === 0 && metadata), ...counts }, encoded)
      writeFileSync(join(folder, `m-0000${part + 1}-of-00003.gguf`), bytes)
    }
    return join(folder, 'm-00001-of-00003.gguf')
  }

  it('loses the part that no tensor is left in', async () => {
    const first = await pruneGguf(await split(), { start: 1, end: 2 })
    expect(basename(first)).toBe('m-00001-of-00002.gguf')
    const parts = await openGguf(first)
    const whole = await openGguf(await pruneGguf(join(GGUF, 'llama.gguf'), { start: 1, end: 2 }))
    expect(readBytes(parts)).toEqual(readBytes(whole))
    expect(parts.headers.map(({ metadata }) => metadata.get('split.tensors.count')!.value)).toEqual([
      whole.tensors.size,
      whole.tensors.size,
    ])
  })
})

describe('new values', () => {
  it('are written in the type of plain tensors', async () => {
    const name = 'model.layers.2.mlp.down_proj.weight'
    const shape = [32, 48]
    const data = Float32Array.from({ length: 32 * 48 }, (_, index) => index / 3)
    const output = join(makeTempFolder(), 'pruned')
    const plan = { strategy: 'explicit', removed: [{ start: 0, end: 1 }] }
    const replacements = new Map([[name, { shape, data }]])
    await pruneModel({ model: join(GGUF, 'llama.gguf'), output, plan, replacements })
    const { tensors } = await openGguf(join(output, 'llama.gguf'))
    const { type, offsetBytes, sizeBytes } = tensors.get('blk.1.ffn_down.weight')!
    const content = readFileSync(join(output, 'llama.gguf'))
    const stored = new Uint8Array(content.subarray(offsetBytes, offsetBytes + sizeBytes))
    expect(stored).toEqual(encodeFloats(data, { name, dtype: type.name as 'F32' }))
  })
})
