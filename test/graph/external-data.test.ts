import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { measureSimilarity } from '../../src/index.js'
import { FIXTURES, makeTempFolder, TEXTS } from '../cli/run-program.js'

it("reads a model from Python's Hub cache, where files are links into another folder", async () => {
  const source = join(FIXTURES, 'onnx/genai-llama')
  const cache = makeTempFolder()
  const snapshot = join(cache, 'snapshots/0123abcd')
  cpSync(source, snapshot, { recursive: true })
  mkdirSync(join(cache, 'blobs'))
  for (const [index, name] of readdirSync(snapshot).entries()) {
    renameSync(join(snapshot, name), join(cache, 'blobs', `hash${index}`))
    symlinkSync(`../../blobs/hash${index}`, join(snapshot, name))
  }
  const options = { dataset: TEXTS, layersToSkip: 1, maxLength: 32 }
  const linked = await measureSimilarity({ ...options, model: snapshot })
  const { last } = JSON.parse(readFileSync(join(source, 'reference.json'), 'utf8'))
  expect(linked.distances['1']).toHaveLength(last['1'].length)
  for (const [start, distance] of last['1'].entries())
    expect(linked.distances['1']![start]).toBeCloseTo(distance, 5)
})
