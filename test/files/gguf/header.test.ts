import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LayerpruneError } from '../../../src/base/errors.js'
import { openGguf } from '../../../src/files/gguf/gguf-file.js'
import { readArray, readGgufHeader } from '../../../src/files/gguf/header.js'
import { count, counts, encodeGguf, flag, real, type Tensor, text, texts, type Value } from '../../support/gguf-file.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const F32 = 0
const Q4_0 = 2
const metadata: Record<string, Value> = {
  'general.architecture': text('llama'),
  'llama.block_count': count(2),
  'llama.rope.freq_base': real(0.5),
  'llama.flags': { type: 'array', elementType: 'bool', value: [true, false] },
  'tokenizer.ggml.add_bos_token': flag(true),
  'tokenizer.ggml.tokens': texts(Array.from({ length: 5000 }, (_, id) => `token ${id}`)),
  'tokenizer.ggml.token_type': counts([1, 2, 3]),
}
const tensors: Tensor[] = [
  { name: 'a.weight', sizes: [3, 2], type: F32, bytes: Buffer.alloc(24, 1) },
  { name: 'b.weight', sizes: [64, 2], type: Q4_0, bytes: Buffer.alloc(72, 2) },
]

function write(bytes: Uint8Array, name = 'model.gguf', folder = makeTempFolder()): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

async function failure(path: string): Promise<LayerpruneError> {
  const error = await openGguf(path).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(LayerpruneError)
  expect((error as LayerpruneError).message).not.toContain('\n')
  return error as LayerpruneError
}

describe('readGgufHeader', () => {
  it.each([2, 3])('says what a file of version %d holds and where', async (version) => {
    const bytes = encodeGguf(metadata, tensors, { version })
    const header = await readGgufHeader(write(bytes))
    expect(header).toMatchObject({ version, alignment: 32, sizeBytes: bytes.length })
    const stated = (key: string) => header.metadata.get(key)?.value
    expect(stated('llama.block_count')).toBe(2)
    expect(stated('llama.rope.freq_base')).toBe(0.5)
    expect(stated('llama.flags')).toEqual([true, false])
    expect(stated('tokenizer.ggml.tokens')).toBeUndefined()
    expect(readArray(header, 'tokenizer.ggml.tokens')).toHaveLength(5000)
    expect(readArray(header, 'tokenizer.ggml.tokens')![4999]).toBe('token 4999')
    const { dataStart } = header
    expect([...header.tensors.values()]).toMatchObject([
      { name: 'a.weight', shape: [2, 3], offsetBytes: dataStart, sizeBytes: 24, type: { name: 'F32' } },
      {
        name: 'b.weight',
        shape: [2, 64],
        offsetBytes: dataStart + 32,
        sizeBytes: 72,
        type: { name: 'Q4_0' },
      },
    ])
    expect(bytes.subarray(dataStart + 32, dataStart + 104).every((byte) => byte === 2)).toBe(true)
  })

  const [a, b] = tensors as [Tensor, Tensor]
  const sound = encodeGguf(metadata, tensors)
  const withVersion = (version: number) => encodeGguf(metadata, tensors, { version })
  it.each([
    ['another file', Buffer.from('GGML, and so on'), "does not start with 'GGUF'"],
    ['an empty file', Buffer.alloc(0), 'is truncated: expected at least 4 bytes, found 0'],
    ['version 1', withVersion(1), 'of version 1, expected 2 or 3'],
    ['big-endian', withVersion(0x03000000), 'a big-endian GGUF file, which cannot be read'],
    ['a cut header', sound.subarray(0, 90), 'bytes that follow can hold'],
    ['cut weights', sound.subarray(0, sound.length - 40), 'is truncated'],
    ['too many tensors', encodeGguf(metadata, [], { tensorCount: 2 ** 40 }), 'number of tensors is 1099511627776'],
    [
      'a key twice',
      encodeGguf({}, [], {
        keys: [
          ['k', count(1)],
          ['k', count(1)],
        ],
      }),
      'the key "k" twice',
    ],
    ['a tensor twice', encodeGguf(metadata, [a, { ...b, name: a.name }]), 'tensor "a.weight" twice'],
    ['an unknown type', encodeGguf(metadata, [{ ...a, type: 99 }]), '"a.weight" has the unknown type 99'],
    ['five axes', encodeGguf(metadata, [{ ...a, sizes: [1, 1, 1, 3, 2] }]), 'has 5 axes, expected at most 4'],
    ['half a block', encodeGguf(metadata, [{ ...b, sizes: [48, 2] }]), 'has rows of 48, expected a multiple of the 32'],
    [
      'a tensor out of place',
      encodeGguf(metadata, [{ ...a, offset: 32 }]),
      'begins at byte 32 of the weights, expected 0',
    ],
    ['a huge tensor', encodeGguf(metadata, [{ ...a, sizes: [2 ** 32, 2 ** 32] }]), 'more than the file has'],
    ['an odd alignment', encodeGguf({ 'general.alignment': count(48) }), 'alignment is 48, expected a power of two'],
    ['a flag of 2', encodeGguf({ f: { type: 'bool', value: 2 } }), '"f" is a flag of 2'],
  ])('refuses %s', async (_, bytes, message) => {
    expect((await failure(write(bytes))).message).toContain(message)
  })
})

describe('openGguf', () => {
  const part = (no: number, total = 2, own: Tensor[] = [tensors[no]!]) =>
    encodeGguf(
      {
        ...(no === 0 && { ...metadata, 'split.tensors.count': count(tensors.length) }),
        'split.no': count(no),
        'split.count': count(total),
      },
      own,
    )
  const name = (no: number, total = 2) => `m-0000${no + 1}-of-0000${total}.gguf`

  it('reads the parts of a model, whichever is named', async () => {
    const folder = makeTempFolder()
    write(part(0), name(0), folder)
    const second = write(part(1), name(1), folder)
    const { tensors: found, headers } = await openGguf(second)
    expect([...found.keys()]).toEqual(['a.weight', 'b.weight'])
    expect(headers).toHaveLength(2)
  })

  it.each([
    ['a missing part', [part(0)], 'has no m-00002-of-00002.gguf, part 2 of 2 of the model'],
    ['the parts in the other order', [part(1), part(0)], 'is not part 1 of 2 of the same model'],
    ['a part cut short', [part(0), part(1).subarray(0, -33)], 'is truncated: expected at least'],
    ['a number of parts that the names deny', [part(0, 3), part(1, 3)], 'in 3 parts, but its name says 2'],
    [
      'parts with too few tensors',
      [part(0), part(1, 2, [])],
      'its 2 parts have 1 tensors, but the first part states 2',
    ],
    ['a part of another model', [part(0), part(1, 3)], 'is not part 2 of 2 of the same model'],
    ['a part twice', [part(0), part(0)], 'is not part 2 of 2 of the same model'],
    ['a tensor in two parts', [part(0), part(1, 2, [tensors[0]!])], 'which an earlier part has too'],
  ])('refuses %s', async (_, parts, message) => {
    const folder = makeTempFolder()
    for (const [no, bytes] of parts.entries()) write(bytes, name(no), folder)
    expect((await failure(join(folder, name(0)))).message).toContain(message)
  })

  it('refuses a part that has lost its name', async () => {
    expect((await failure(write(part(0)))).message).toContain('is a part of a model in 2 parts')
  })
})
