// Puts NaN, Infinity or -Infinity somewhere into each weight of each fixture in turn and makes the model ready to run: in float32,
// as stored and in q8 it must be refused by the name of the tensor and the position in it. The nightly run, of all:
//   npm run build && node test/hardening/non-finite.js --seed 1
// --weights takes so many weights of each fixture, chosen at random; --every one fixture of so many.
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { LayerpruneError } from '../../dist/base/errors.js'
import { openModel, prepareModel } from '../../dist/engine/model.js'
import { openSafetensors } from '../../dist/files/checkpoint/safetensors.js'
import { makeRandom } from './random.js'

const FAMILIES = fileURLToPath(new URL('../fixtures/families', import.meta.url))

/** The two highest bytes of a number, and its size. */
const NUMBERS = {
  F32: { size: 4, highest: { NaN: 0x7fc0, Infinity: 0x7f80, '-Infinity': 0xff80 } },
  BF16: { size: 2, highest: { NaN: 0x7fc0, Infinity: 0x7f80, '-Infinity': 0xff80 } },
  F16: { size: 2, highest: { NaN: 0x7e00, Infinity: 0x7c00, '-Infinity': 0xfc00 } },
}
/** What is computed anew when a checkpoint is loaded, whatever is stored: no weight. */
const BUFFER = /inv_freq|masked_bias|[.](attn|attention)\.bias$/
const STORED = { F32: 'fp32', BF16: 'bf16', F16: 'fp16' }

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    weights: { type: 'string', default: 'Infinity' },
    every: { type: 'string', default: '1' },
  },
})
const random = makeRandom(Number(values.seed))
const home = mkdtempSync(join(tmpdir(), 'layerprune-non-finite-'))
process.env.HF_HOME = home
const names = readdirSync(FAMILIES).filter((_, index) => index % Number(values.every) === 0)
let opened = 0
let taken = 0
try {
  for (const name of names) {
    const folder = join(home, name)
    cpSync(join(FAMILIES, name), folder, { recursive: true })
    const stored = (await openSafetensors(folder)).tensors
    const isUsed = await listUsed(folder)
    const tensors = [...stored.values()].filter(
      ({ name, dtype }) => dtype in NUMBERS && !BUFFER.test(name) && isUsed(name),
    )
    while (tensors.length > Number(values.weights)) tensors.splice(random(tensors.length), 1)
    for (const tensor of tensors) await damage(folder, tensor)
    rmSync(folder, { recursive: true })
  }
} finally {
  rmSync(home, { recursive: true })
}
console.log(`${names.length} fixtures, ${opened} damaged models, ${taken} of them not refused by name`)
if (taken > 0) process.exitCode = 1

/** Which tensors the decoder is made of: towers and layers behind its last one are left alone. */
async function listUsed(folder) {
  const { decoder } = await openModel({ model: folder, format: 'safetensors' })
  const names = new Set(decoder.model.graph.initializer.map(({ name }) => name.replace(/\[[\d:]+\]$/, '')))
  return (name) => names.has(name)
}

/** Puts a number that is not finite into a tensor, makes the model ready in each dtype and puts the old number back. */
async function damage(folder, { name, shape, dtype, file, offsetBytes, sizeBytes }) {
  const { size, highest } = NUMBERS[dtype]
  const value = Object.keys(highest)[random(3)]
  const index = random(sizeBytes / size)
  const coordinates = shape.map((length, axis) => {
    const stride = shape.slice(axis + 1).reduce((product, other) => product * other, 1)
    return Math.floor(index / stride) % length
  })
  const expected = `tensor ${name} at [${coordinates.join(', ')}]: expected a finite number, found ${value}`
  const handle = await open(file, 'r+')
  const place = offsetBytes + index * size
  const { buffer: before } = await handle.read(Buffer.alloc(size), 0, size, place)
  const after = Buffer.alloc(size)
  after.writeUInt16LE(highest[value], size - 2)
  await handle.write(after, 0, size, place)
  for (const asked of new Set(['fp32', 'q8', STORED[dtype]])) {
    const model = await openModel({ model: folder, format: 'safetensors', dtype: asked })
    const found = await prepareModel(model).then(
      () => 'it is ready to run',
      (error) => {
        if (error instanceof LayerpruneError) return error.message
        throw error
      },
    )
    opened++
    if (found === expected) continue
    taken++
    console.error(`${folder} in ${asked}: expected "${expected}", found "${found}"`)
  }
  await handle.write(before, 0, size, place)
  await handle.close()
}
