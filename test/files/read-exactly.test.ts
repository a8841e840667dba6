import { writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readExactly } from '../../src/files/read-exactly.js'
import { packWeights } from '../../src/jobs/prune/pack-weights.js'
import type { DecoderGraph } from '../../src/model/graph/decoder-graph.js'
import { setExternalData } from '../../src/model/graph/onnx/external-data.js'
import { makeFloatTensor } from '../../src/model/graph/onnx/onnx.js'
import { makeTempFolder } from '../support/temp-folder.js'

function makeFile(bytes: number[]): string {
  const folder = makeTempFolder()
  writeFileSync(join(folder, 'file'), Buffer.from(bytes))
  return join(folder, 'file')
}

/** A file whose every read gives 2 bytes at most, as a file over a network may. */
async function openSlow(path: string): Promise<FileHandle> {
  const handle = await open(path)
  onTestFinished(() => handle.close())
  const read = (buffer: Uint8Array, offset: number, length: number, position: number) =>
    handle.read(buffer, offset, Math.min(length, 2), position)
  return { read } as FileHandle
}

describe('readExactly', () => {
  it('fills the buffer, however little a read gives', async () => {
    const buffer = new Uint8Array(5)
    await readExactly(await openSlow(makeFile([0, 1, 2, 3, 4, 5, 6])), buffer, 1, () => new Error())
    expect([...buffer]).toEqual([1, 2, 3, 4, 5])
  })

  it('says where a file that is too short ends', async () => {
    const handle = await openSlow(makeFile([0, 1, 2]))
    const read = readExactly(handle, new Uint8Array(5), 1, (end) => new Error(`ends at ${end}`))
    await expect(read).rejects.toThrow('ends at 3')
  })
})

it('weights beyond the end of a graph file are no zeros', async () => {
  const file = makeFile([1, 2, 3, 4, 5, 6])
  const tensor = makeFloatTensor('w', [2], [0, 0])
  setExternalData(tensor, { location: 'file', offsetBytes: 2, sizeBytes: 8 })
  const graph = { initializer: [tensor], node: [] }
  const decoder = { model: { graph }, weightsFolder: join(file, '..') } as unknown as DecoderGraph
  await expect(packWeights(decoder, file)).rejects.toThrow('expected at least 10 bytes, found 6')
})
