import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LayerpruneError } from '../../../src/base/errors.js'
import { readModelConfig } from '../../../src/files/checkpoint/config.js'
import { countBlocks, UndirectedStateError } from '../../../src/jobs/similarity/distances.js'
import { serializeModel } from '../../../src/model/graph/onnx/onnx.js'
import { buildFrom, copyFixture, fixtureFolder, measureBlocks } from '../../support/fixture-model.js'
import { LONG_TESTS } from '../../support/long-tests.js'

/** Random whole numbers below a bound, the same ones in every run (xorshift). */
function makeRandom(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % bound
  }
}

type Random = ReturnType<typeof makeRandom>

const MUTATIONS: ((bytes: Buffer, end: number, random: Random) => Buffer)[] = [
  /** Another byte somewhere before `end`. */
  (bytes, end, random) => {
    bytes[random(end)]! ^= 1 + random(255)
    return bytes
  },
  /** Another digit, or another bracket, comma, quote or letter. */
  (bytes, end, random) => {
    bytes[random(end)] = '0123456789[]{},:"aFB'.charCodeAt(random(20))
    return bytes
  },
  /** A piece taken out. */
  (bytes, end, random) => {
    const start = random(end)
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(start + 1 + random(40))])
  },
  /** A piece written twice. */
  (bytes, end, random) => {
    const start = random(end)
    return Buffer.concat([bytes.subarray(0, start + random(40)), bytes.subarray(start)])
  },
  /** The end cut off. */
  (bytes, _end, random) => bytes.subarray(0, random(bytes.length)),
  /** Two pieces exchanged. */
  (bytes, end, random) => {
    const [first, second, length] = [random(end), random(end), 1 + random(8)]
    const piece = Buffer.from(bytes.subarray(first, first + length))
    bytes.copy(bytes, first, second, second + length)
    piece.copy(bytes, second)
    return bytes
  },
]

function mutate(bytes: Buffer, end: number, random: Random): Buffer {
  return MUTATIONS[random(MUTATIONS.length)]!(Buffer.from(bytes), end, random)
}

/** The built graph's bytes, or the message of the error that a user would see. */
async function buildBytes(folder: string): Promise<Uint8Array | string> {
  try {
    return serializeModel((await buildFrom(folder)).decoder.model)
  } catch (error) {
    if (!(error instanceof LayerpruneError)) throw error
    expect(error.message).toMatch(/^[^\n]{10,}$/)
    return error.message
  }
}

/** How many damaged files of so many are taken. */
const shareOf = (times: number) => (LONG_TESTS ? times : times * 0.3)

describe('random damage ends in a clear error or changes nothing', () => {
  it.each([
    ['llama-tied', 'model.safetensors', shareOf(500), 1],
    ['mixtral', 'model.safetensors.index.json', shareOf(250), 2],
    ['mixtral', 'model-00001-of-00002.safetensors', shareOf(250), 3],
  ])('%s, %s, %i times', async (name, file, times, seed) => {
    const folder = copyFixture(name)
    const path = join(folder, file)
    const original = readFileSync(path)
    const end = file.endsWith('.json') ? original.length : 8 + Number(original.readBigUInt64LE())
    const expected = await buildBytes(folder)
    expect(expected).toBeInstanceOf(Uint8Array)
    const random = makeRandom(seed)
    const messages = new Set<string>()
    for (let time = 0; time < times; time++) {
      writeFileSync(path, mutate(original, end, random))
      const found = await buildBytes(folder)
      if (typeof found === 'string') messages.add(found)
      else expect(found).toEqual(expected)
    }
    expect(messages.size).toBeGreaterThan(times / 10)
  })

  it('llama, config.json, many times; what is still built runs or is refused', async () => {
    const folder = copyFixture('llama')
    const path = join(folder, 'config.json')
    const original = readFileSync(path)
    const random = makeRandom(4)
    let ran = 0
    for (let time = 0; time < shareOf(300); time++) {
      writeFileSync(path, mutate(original, original.length, random))
      if (typeof (await buildBytes(folder)) === 'string') continue
      ran++
      const distances = await measureBlocks(await buildFrom(folder), 'llama')
      expect(distances).toHaveLength(countBlocks((await readModelConfig(folder)).layers))
      expect([...distances].every((distance) => distance >= 0 && distance <= 1)).toBe(true)
    }
    expect(ran).toBeGreaterThan(shareOf(10))
  })

  it('llama, weights of any value: a result or an error, never a crash', async () => {
    const folder = copyFixture('llama-tied')
    const path = join(folder, 'model.safetensors')
    const original = readFileSync(path)
    const start = 8 + Number(original.readBigUInt64LE())
    const random = makeRandom(5)
    for (let time = 0; time < 20; time++) {
      const bytes = Buffer.from(original)
      for (let change = 0; change < 50; change++) bytes[start + random(bytes.length - start)] = random(256)
      writeFileSync(path, bytes)
      const outcome = await measureBlocks(await buildFrom(folder), 'llama-tied').catch((error) => error)
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(UndirectedStateError)
      else expect([...outcome].every((distance) => distance >= 0 && distance <= 1)).toBe(true)
    }
  })
})

it('the fixtures that are damaged here are sound', async () => {
  for (const name of ['llama', 'llama-tied', 'mixtral']) {
    expect(typeof (await buildBytes(fixtureFolder(name)))).toBe('object')
  }
})
