import { closeSync, cpSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { buildFrom, fixtureFolder, measureBlocks } from '../../support/fixture-model.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const LLAMA = fixtureFolder('llama')

/** A copy of a small Llama whose weights lie behind an unused tensor, which is a hole in the file. */
function moveWeights(byBytes: number): string {
  const folder = makeTempFolder()
  cpSync(LLAMA, folder, { recursive: true })
  const bytes = readFileSync(join(LLAMA, 'model.safetensors'))
  const start = 8 + Number(bytes.readBigUInt64LE())
  const header: Record<string, { data_offsets?: [number, number] }> = JSON.parse(bytes.toString('utf8', 8, start))
  const moved = Object.entries(header).map(([name, entry]) => {
    const offsets = entry.data_offsets?.map((offset) => offset + byBytes)
    return [name, offsets === undefined ? entry : { ...entry, data_offsets: offsets }]
  })
  const hole = { 'score.weight': { dtype: 'F32', shape: [byBytes / 4096, 1024], data_offsets: [0, byBytes] } }
  const json = Buffer.from(JSON.stringify({ ...hole, ...Object.fromEntries(moved) }))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  const file = openSync(join(folder, 'model.safetensors'), 'w')
  writeSync(file, Buffer.concat([length, json]))
  writeSync(file, bytes, start, bytes.length - start, 8 + json.length + byBytes)
  closeSync(file)
  return folder
}

it.each([2 ** 31, 2 ** 32, 3 * 2 ** 31])('weights %d bytes from the start of a file are read', async (bytes) => {
  const expected = await measureBlocks(await buildFrom(LLAMA), 'llama')
  expect(await measureBlocks(await buildFrom(moveWeights(bytes)), 'llama')).toEqual(expected)
})
