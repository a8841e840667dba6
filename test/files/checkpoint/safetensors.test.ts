import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { LayerpruneError } from '../../../src/base/errors.js'
import { readPackedTensors } from '../../../src/files/checkpoint/packed/read-packed.js'
import { openSafetensors } from '../../../src/files/checkpoint/safetensors.js'
import { readSafetensorsHeader } from '../../../src/files/checkpoint/safetensors-header.js'
import { readConfig } from '../../support/fixture-model.js'
import { FIXTURES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

let root: string
let folders = 0
beforeAll(async () => {
  root = makeTempFolder()
})

async function makeFolder(files: Record<string, Uint8Array | string> = {}): Promise<string> {
  const folder = join(root, String(folders++))
  await mkdir(folder)
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  return folder
}

/** A safetensors file of any header, right or wrong. */
function encode(header: unknown, dataBytes: number): Buffer {
  return frame(typeof header === 'string' ? header : JSON.stringify(header), dataBytes)
}

function frame(json: string, dataBytes: number): Buffer {
  const text = Buffer.from(json)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([length, text, Buffer.alloc(dataBytes, 7)])
}

const tensor = (dtype: string, shape: unknown, begin: unknown, end: unknown) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
})

const valid = {
  __metadata__: { format: 'pt' },
  'model.embed_tokens.weight': tensor('BF16', [5, 4], 24, 64),
  'model.norm.weight': tensor('F32', [6], 0, 24),
  'layer.0.bias': tensor('F16', [3], 64, 70),
  scalar: tensor('I64', [], 70, 78),
  empty: tensor('F32', [0, 9], 70, 70),
}

async function failure(promise: Promise<unknown>): Promise<LayerpruneError> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(LayerpruneError)
  expect((error as LayerpruneError).message).not.toContain('\n')
  return error as LayerpruneError
}

describe('readSafetensorsHeader', () => {
  it('says where each tensor lies', async () => {
    const folder = await makeFolder({ 'model.safetensors': encode(valid, 78) })
    const { tensors, metadata, file } = await readSafetensorsHeader(join(folder, 'model.safetensors'))
    const dataStart = 8 + JSON.stringify(valid).length
    expect(metadata).toEqual({ format: 'pt' })
    expect([...tensors.keys()]).toEqual([
      'model.norm.weight',
      'model.embed_tokens.weight',
      'layer.0.bias',
      'empty',
      'scalar',
    ])
    expect(tensors.get('model.embed_tokens.weight')).toEqual({
      name: 'model.embed_tokens.weight',
      dtype: 'BF16',
      shape: [5, 4],
      file,
      offsetBytes: dataStart + 24,
      sizeBytes: 40,
    })
  })

  it('takes names that JavaScript objects have of their own', async () => {
    const json =
      '{"__proto__":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"toString":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}  '
    const folder = await makeFolder({ 'model.safetensors': encode(json, 3) })
    const { tensors } = await readSafetensorsHeader(join(folder, 'model.safetensors'))
    expect([...tensors.keys()]).toEqual(['__proto__', 'toString'])
    expect(tensors.get('toString')?.offsetBytes).toBe(8 + json.length + 2)
  })

  const length = (value: bigint, rest = 0) => {
    const bytes = Buffer.alloc(8 + rest, 32)
    bytes.writeBigUInt64LE(value)
    return bytes
  }
  const x = (entry: unknown) => encode({ x: entry }, 8)
  const cases: [string, Uint8Array, RegExp][] = [
    ['an empty file', Buffer.alloc(0), /expected at least 8 bytes, found 0/],
    ['7 bytes', Buffer.alloc(7), /expected at least 8 bytes, found 7/],
    ['a header longer than the format allows', length(100_000_001n, 9), /length is 100000001/],
    ['a header length near 2^64', length(2n ** 64n - 1n, 9), /length is 18446744073709551615/],
    ['a header longer than the file', length(10n, 9), /truncated: expected 18 bytes, found 17/],
    ['a header of no bytes', length(0n, 9), /does not start with '\{'/],
    ['a git-lfs pointer', Buffer.from('version https://git-lfs.github.com/spec/v1\n'), /git-lfs pointer/],
    ['a header that is not UTF-8', Buffer.concat([length(3n), Buffer.from([0x7b, 0xff, 0x7d])]), /UTF-8/],
    ['a header that is not JSON', frame('{"x":}', 0), /not valid JSON/],
    ['a header that is an array', frame('[]', 0), /does not start with/],
    ['an entry that is no object', x([1]), /tensor "x" is not described by an object/],
    ['an unknown dtype', x(tensor('F33', [2], 0, 8)), /unknown dtype "F33"/],
    ['a dtype from the prototype', x(tensor('constructor', [2], 0, 8)), /unknown dtype "constructor"/],
    ['no shape', x({ dtype: 'F32', data_offsets: [0, 8] }), /the shape nothing/],
    ['a negative size', x(tensor('F32', [-2], 0, 8)), /the shape \[-2\]/],
    ['a fractional size', x(tensor('F32', [2.5], 0, 8)), /the shape \[2.5\]/],
    ['a size beyond 2^53', x(tensor('F32', [2 ** 53, 0], 0, 0)), /the shape/],
    [
      'a deeply nested shape',
      frame(`{"x":{"dtype":"F32","shape":${'['.repeat(9e4)}${']'.repeat(9e4)}}}`, 0),
      /an array/,
    ],
    ['a size that overflows', x(tensor('U8', [2 ** 32, 2 ** 32], 0, 0)), /18446744073709551616 bytes/],
    ['one offset', x({ dtype: 'F32', shape: [2], data_offsets: [8] }), /data_offsets \[8\]/],
    ['offsets in reverse', x(tensor('F32', [2], 8, 0)), /data_offsets \[8,0\]/],
    ['a size that its offsets do not have', x(tensor('F32', [3], 0, 8)), /12 bytes, but its data_offsets hold 8/],
    ['half a byte', x(tensor('F4', [15], 0, 8)), /data_offsets hold 8/],
    ['missing weights', x(tensor('F32', [4], 0, 16)), /truncated: expected 79 bytes, found 71/],
    ['bytes after the last tensor', x(tensor('F32', [1], 0, 4)), /4 bytes after tensor "x"/],
    ['bytes of no tensor', encode({}, 8), /8 bytes after the header/],
    [
      'a hole',
      encode({ a: tensor('U8', [2], 0, 2), b: tensor('U8', [2], 4, 6) }, 6),
      /2 bytes between tensor "a" and tensor "b"/,
    ],
    ['an overlap', encode({ a: tensor('U8', [4], 0, 4), b: tensor('U8', [4], 2, 6) }, 6), /"b" overlaps tensor "a"/],
    ['the same bytes twice', encode({ a: tensor('U8', [4], 0, 4), b: tensor('U8', [4], 0, 4) }, 4), /overlaps/],
    [
      'a name twice',
      frame(
        '{"a\\n":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061\\n":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}',
        1,
      ),
      /names "a\\n" twice/,
    ],
    ['metadata that is no object', encode({ __metadata__: 3 }, 0), /__metadata__ is not an object/],
    ['metadata that is no string', encode({ __metadata__: { a: 3 } }, 0), /__metadata__ "a" is not a string/],
  ]
  it.each(cases)('refuses %s', async (_, bytes, message) => {
    const folder = await makeFolder({ 'model.safetensors': bytes })
    expect((await failure(openSafetensors(folder))).message).toMatch(message)
  })

  it('names a file that is not there, and a folder in its place', async () => {
    const folder = await makeFolder()
    expect((await failure(readSafetensorsHeader(join(folder, 'x.safetensors')))).message).toMatch(/no such file/)
    expect((await failure(readSafetensorsHeader(folder))).message).toMatch(/expected a file/)
  })

  it('ends 1,000 random mutations in a clear error or in tensors that hold together', async () => {
    const random = makeRandom(20240817)
    const original = encode(valid, 78)
    const path = join(await makeFolder(), 'model.safetensors')
    let read = 0
    for (let round = 0; round < 1000; round++) {
      const bytes = mutate(original, random)
      await writeFile(path, bytes)
      const header = await readSafetensorsHeader(path).catch((error: unknown) => {
        if (!(error instanceof LayerpruneError)) throw error
        expect(error.message).not.toContain('\n')
      })
      if (header === undefined) continue
      read++
      let end = 8 + Number(bytes.readBigUInt64LE())
      for (const { dtype, shape, offsetBytes, sizeBytes } of header.tensors.values()) {
        expect(offsetBytes).toBe(end)
        const elementBytes =
          { F32: 4, BF16: 2, F16: 2, I16: 2, U16: 2, I64: 8, U64: 8, F64: 8, C64: 8, I32: 4, U32: 4 }[dtype as 'F32'] ??
          1
        expect(sizeBytes).toBe(shape.reduce((product, size) => product * size, elementBytes))
        end = offsetBytes + sizeBytes
      }
      expect(end).toBe(bytes.length)
    }
    expect(read).toBeGreaterThan(20)
    expect(read).toBeLessThan(900)
  })
})

/** Mulberry32: numbers in [0, 1). */
function makeRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let z = Math.imul(state ^ (state >>> 15), 1 | state)
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32
  }
}

function mutate(original: Buffer, random: () => number): Buffer {
  const below = (n: number) => Math.floor(random() * n)
  const pick = <T>(items: T[]): T => items[below(items.length)]!
  const bytes = Buffer.from(original)
  const headerBytes = Number(original.readBigUInt64LE())
  switch (below(6)) {
    case 0: // any bytes of the header and its length
      for (let n = 1 + below(4); n > 0; n--) bytes[below(8 + headerBytes)] = below(256)
      return bytes
    case 1: // another header length
      bytes.writeBigUInt64LE(
        BigInt.asUintN(64, BigInt(headerBytes) + BigInt(pick([-1, 1, -8, 8, 1e9, -1e9, 77, 2 ** 40]))),
      )
      return bytes
    case 2:
      return bytes.subarray(0, below(bytes.length))
    case 3:
      return Buffer.concat([bytes, Buffer.alloc(1 + below(40), 32)])
    case 4: {
      // a digit or a letter of the JSON
      const at = 8 + below(headerBytes)
      bytes[at] = pick([...'0123456789.-e{}[],:"\\FIBU ']).charCodeAt(0)
      return bytes
    }
    default: {
      // an entry changed, the JSON still well-formed
      const header: Record<string, unknown> = structuredClone(valid)
      const name = pick(Object.keys(valid))
      const other = pick(Object.keys(valid))
      const changed = {
        dtype: pick(['F32', 'F16', 'BF16', 'I64', 'F8_E4M3', 'U8', 'X', null, 3]),
        shape: pick<unknown>([[], [0], [6], [5, 4], [-1], [2 ** 60, 8], 'x', null, {}, [[1]], [1e308]]),
        data_offsets: pick<unknown>([[0, 24], [24, 64], [70, 70], [-4, 20], [0, 2 ** 53], [0], null, ['0', '24']]),
      }
      const key = pick(['dtype', 'shape', 'data_offsets', 'extra', 'name', 'gone'] as const)
      if (key === 'gone') delete header[name]
      else if (key === 'name') {
        header[pick(['__proto__x', '', '\n', 'é', other])] = header[name]
        delete header[name]
      } else if (key === 'extra') (header[name] as Record<string, unknown>).extra = 1
      else (header[name] as Record<string, unknown>)[key] = changed[key]
      return encode(header, 78)
    }
  }
}

describe('openSafetensors', () => {
  const shards = {
    'model-00001-of-00002.safetensors': encode({ __metadata__: { format: 'pt' }, a: tensor('F32', [2], 0, 8) }, 8),
    'model-00002-of-00002.safetensors': encode({ b: tensor('F32', [1], 0, 4), c: tensor('F16', [1], 4, 6) }, 6),
  }
  const weightMap = {
    a: 'model-00001-of-00002.safetensors',
    b: 'model-00002-of-00002.safetensors',
    c: 'model-00002-of-00002.safetensors',
  }
  const index = (map: unknown) => JSON.stringify({ metadata: { total_size: 14 }, weight_map: map })
  const sharded = (map: unknown) => makeFolder({ ...shards, 'model.safetensors.index.json': index(map) })

  it('reads the shards of an index', async () => {
    const { files, tensors, metadata } = await openSafetensors(await sharded(weightMap))
    expect(files).toHaveLength(2)
    expect([...tensors.keys()].sort()).toEqual(['a', 'b', 'c'])
    expect(tensors.get('b')?.file).toBe(files[1])
    expect(metadata).toEqual({ format: 'pt' })
  })

  it('takes the only safetensors file, whatever its name', async () => {
    const folder = await makeFolder({ 'weights.safetensors': encode(valid, 78) })
    expect((await openSafetensors(folder)).tensors.size).toBe(5)
  })

  it('follows the links of the Hub cache to the blob', async () => {
    const folder = await makeFolder()
    await mkdir(join(folder, 'blobs'))
    await mkdir(join(folder, 'snapshots'))
    await writeFile(join(folder, 'blobs', 'abc'), encode(valid, 78))
    await symlink('../blobs/abc', join(folder, 'snapshots', 'model.safetensors'))
    const { files, tensors } = await openSafetensors(join(folder, 'snapshots'))
    expect(files[0]).toMatch(/blobs.abc$/)
    expect(tensors.get('scalar')?.file).toBe(files[0])
  })

  const { c: _, ...withoutC } = weightMap
  const wrong: [string, unknown, RegExp][] = [
    ['a tensor that no shard holds', { ...weightMap, d: weightMap.a }, /has "d" in "model-00001.*does not hold it/],
    ['a tensor in the wrong shard', { ...weightMap, a: weightMap.b }, /has "a" in "model-00002/],
    ['a tensor that the index leaves out', withoutC, /holds "c", which the index names not at all/],
    ['a shard that is not there', { ...weightMap, d: 'x.safetensors' }, /"x.safetensors", which is not in the folder/],
    ['a shard outside the folder', { ...weightMap, d: '../x.safetensors' }, /has "d" in "..\/x.safetensors", expected/],
    ['an absolute path', { ...weightMap, d: '/x.safetensors' }, /has "d" in "\/x.safetensors", expected/],
    ['a shard that is no name', { ...weightMap, d: 3 }, /has "d" in number, expected/],
    ['no tensors', {}, /names no tensor/],
    ['no weight_map', undefined, /expected an object weight_map/],
  ]
  it.each(wrong)('refuses an index with %s', async (_, map, message) => {
    expect((await failure(openSafetensors(await sharded(map)))).message).toMatch(message)
  })

  it('refuses a tensor that two shards hold', async () => {
    const folder = await sharded(weightMap)
    await writeFile(
      join(folder, 'model-00002-of-00002.safetensors'),
      encode({ a: tensor('F32', [1], 0, 4), b: tensor('F32', [1], 4, 8), c: tensor('F16', [1], 8, 10) }, 10),
    )
    expect((await failure(openSafetensors(folder))).message).toMatch(/holds "a", which the index names for/)
  })

  it('names a truncated shard', async () => {
    const folder = await sharded(weightMap)
    const shard = shards['model-00002-of-00002.safetensors']
    await writeFile(join(folder, 'model-00002-of-00002.safetensors'), shard.subarray(0, -3))
    const { message } = await failure(openSafetensors(folder))
    expect(message).toContain('model-00002-of-00002.safetensors is truncated')
    expect(message).toContain(`expected ${shard.length} bytes, found ${shard.length - 3}`)
  })

  it('refuses an index that is not JSON', async () => {
    const folder = await makeFolder({ ...shards, 'model.safetensors.index.json': '{' })
    expect((await failure(openSafetensors(folder))).message).toMatch(/not valid JSON/)
  })

  it.each([
    ['model-q4.gguf', /gguf/, /converted from/],
    ['tf_model.h5', /tensorflow/, /save_pretrained/],
    ['README.md', /no safetensors weights/, /config.json/],
    ['model-00001-of-00002.safetensors', /no model.safetensors.index.json/, /download/],
  ])('says what to do about a folder with %s alone', async (name, message, hint) => {
    const error = await failure(openSafetensors(await makeFolder({ [name]: 'x' })))
    expect(error.message).toMatch(message)
    expect(error.hint).toMatch(hint)
  })

  it('refuses several safetensors files without an index', async () => {
    const folder = await makeFolder({ 'a.safetensors': 'x', 'b.safetensors': 'x' })
    expect((await failure(openSafetensors(folder))).message).toMatch(/several.*"a.safetensors", "b.safetensors"/)
  })

  it('names a folder that is not there', async () => {
    expect((await failure(openSafetensors(join(root, 'nowhere')))).message).toMatch(/nowhere: no such file/)
  })
})

describe('files that the safetensors library wrote', async () => {
  const families = join(FIXTURES, 'families')

  it.each(await readdir(families))('reads %s', async (name) => {
    const folder = join(families, name)
    const checkpoint = await openSafetensors(folder)
    expect(readPackedTensors(readConfig(name), checkpoint.tensors)).toEqual({
      tensors: checkpoint.tensors,
      form: null,
    })
    expect(checkpoint.metadata.format).toBe('pt')
    const shards = (await readdir(folder)).filter((file) => file.endsWith('.safetensors'))
    expect(checkpoint.files).toHaveLength(shards.length)
    expect(checkpoint.tensors.size).toBeGreaterThan(10)
    for (const { dtype } of checkpoint.tensors.values()) expect(dtype).toMatch(/^(F32|F16|BF16|BOOL|I64)$/)
  })
})
