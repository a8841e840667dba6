import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openPytorch } from '../../../../src/files/checkpoint/pytorch/pytorch-checkpoint.js'
import { readPytorchFile } from '../../../../src/files/checkpoint/pytorch/pytorch-file.js'
import type { TensorLocation } from '../../../../src/files/checkpoint/safetensors.js'
import { decodeFloats } from '../../../../src/files/weights/decode-floats.js'
import { FIXTURES } from '../../../support/paths.js'
import { makeTempFolder } from '../../../support/temp-folder.js'

const FOLDER = join(FIXTURES, 'pytorch')
type Content = Record<string, { shape: number[]; values: number[] }>
const CONTENTS: Record<string, Content> = JSON.parse(readFileSync(join(FOLDER, 'tensors.json'), 'utf8'))

function readValues({ file, offsetBytes, sizeBytes, dtype }: TensorLocation): number[] {
  const bytes = new Uint8Array(readFileSync(file).subarray(offsetBytes, offsetBytes + sizeBytes))
  const { buffer } = bytes
  switch (dtype) {
    case 'F32':
    case 'F16':
    case 'BF16':
      return [...decodeFloats(bytes, dtype)]
    case 'F64':
      return [...new Float64Array(buffer)]
    case 'I64':
      return [...new BigInt64Array(buffer)].map(Number)
    case 'I32':
      return [...new Int32Array(buffer)]
    case 'I16':
      return [...new Int16Array(buffer)]
    case 'I8':
      return [...new Int8Array(buffer)]
    default:
      return [...bytes]
  }
}

describe('files that torch.save wrote', () => {
  const cases = Object.entries(CONTENTS).flatMap(([name, content]) => [
    [name, content] as const,
    [name.replace('.pt', '-protocol-4.pt'), content] as const,
  ])

  it.each(cases)('%s: finds the numbers of each tensor at the stated place', async (name, content) => {
    const { tensors } = await readPytorchFile(join(FOLDER, name))
    const found = [...tensors].map(([key, tensor]) => [key, { shape: tensor.shape, values: readValues(tensor) }])
    expect(Object.fromEntries(found)).toEqual(content)
  })

  it('shards are read by their index', async () => {
    const names = ['pytorch_model.bin.index.json', 'pytorch_model-00001-of-00002.bin']
    const folder = join(FOLDER, 'sharded')
    const second = 'pytorch_model-00002-of-00002.bin'
    const { tensors, files } = await openPytorch(folder, [...names, second], false)
    expect([...tensors].map(([name, { shape }]) => [name, shape])).toEqual([
      ['1.weight', [1, 2]],
      ['2.weight', [2, 2]],
    ])
    expect(files).toEqual([names[1]!, second].map((name) => join(folder, name)))
    await expect(openPytorch(folder, names, false)).rejects.toThrow(
      `the index names the shard "${second}", which is not in the folder`,
    )
  })

  it('a head that is the embedding table is omitted if the config ties them', async () => {
    const heads = async (tiesHead: boolean) => {
      const { tensors } = await openPytorch(join(FOLDER, 'gpt2'), ['pytorch_model.bin'], tiesHead)
      return [...tensors.keys()].filter((name) => name.includes('lm_head'))
    }
    expect(await heads(false)).toEqual(['lm_head.weight'])
    expect(await heads(true)).toEqual([])
  })
})

describe('what is no file of a model’s tensors is refused', () => {
  it.each([
    ['namespace.pt', /names "argparse.Namespace", which is no tensor: .*none is run$/, /if you trust the file/],
    ['sparse.pt', /names "torch._utils._rebuild_sparse_tensor"/, /if you trust the file/],
    ['transposed.pt', /"weight" with the strides \[1, 3\], expected its rows one after the other/, /contiguous/],
    ['legacy.pt', /the form that PyTorch wrote before 1.6/, /save its state_dict as safetensors/],
    ['script.pt', /is a TorchScript program, not a file of tensors/, /save its state_dict/],
    ['list.pt', /holds no tensors by name/, /state_dict/],
  ])('%s', async (name, message, hint) => {
    await expect(readPytorchFile(join(FOLDER, 'refused', name))).rejects.toMatchObject({
      name: 'LayerpruneError',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    })
  })

  it('several files without an index', async () => {
    await expect(openPytorch(FOLDER, ['b.pt', 'a.bin', 'optimizer.pt'], false)).rejects.toThrow(
      /several PyTorch files and no pytorch_model.bin.index.json: "a.bin", "b.pt"$/,
    )
  })
})

describe('damaged files', () => {
  const sound = readFileSync(join(FOLDER, 'views.pt'))

  function readChanged(change: (bytes: Buffer) => Buffer) {
    const path = join(makeTempFolder(), 'changed.pt')
    writeFileSync(path, change(Buffer.from(sound)))
    return readPytorchFile(path)
  }

  /** Changes bytes of the central directory, by their place in the first entry whose name ends so. */
  function changeEntry(end: string, offset: number, value: number) {
    return (bytes: Buffer) => {
      const name = bytes.lastIndexOf(`views${end}`)
      bytes.writeUInt16LE(value, name - 46 + offset)
      return bytes
    }
  }

  const replaceText = (from: string, to: string) => (bytes: Buffer) => {
    expect(from.length).toBe(to.length)
    bytes.write(to, bytes.indexOf(from), 'latin1')
    return bytes
  }

  it.each([
    ['nothing', () => Buffer.alloc(0), /is not a zip archive/],
    ['a git-lfs pointer', () => Buffer.from('version https://git-lfs.github.com/spec/v1\n'), /is a git-lfs pointer/],
    [
      'half of it',
      (bytes: Buffer) => bytes.subarray(0, bytes.length / 2),
      /its directory is damaged: End of central directory/,
    ],
    ['compressed numbers', changeEntry('/data/0', 10, 8), /is compressed/],
    ['a compressed pickle', changeEntry('/data.pkl', 10, 8), /"views\/data.pkl" is compressed/],
    ['an encrypted pickle', changeEntry('/data.pkl', 8, 1), /"views\/data.pkl" is encrypted/],
    ['another name of the numbers', replaceText('views/data/0PK', 'views/data/1PK'), /are missing|damaged/],
    ['big-endian numbers', replaceText('little', 'bigger'), /has "bigger"-endian numbers/],
    [
      'a call of the system',
      replaceText('torch._utils\n_rebuild_tensor_v2', 'os\nsystem\n'.padEnd(31, '.')),
      /names "os.system"/,
    ],
  ])('%s', async (_, change, message) => {
    await expect(readChanged(change)).rejects.toThrow(message)
  })

  it('a tensor that ends behind its numbers', async () => {
    // offset 3 of "rows" becomes 200
    const change = (bytes: Buffer) => {
      const at = bytes.indexOf(Buffer.from([0x4b, 3, 0x4b, 2, 0x4b, 3, 0x86]))
      bytes[at + 1] = 200
      return bytes
    }
    await expect(readChanged(change)).rejects.toThrow(/tensor "rows" ends at byte 824 of its numbers, which have 48/)
  })

  it('a folder or a link to nowhere is named', async () => {
    const folder = makeTempFolder()
    await expect(readPytorchFile(folder)).rejects.toThrow(/expected a file, found a folder/)
    await expect(readPytorchFile(join(folder, 'none.bin'))).rejects.toThrow(/none.bin: no such file/)
  })
})
