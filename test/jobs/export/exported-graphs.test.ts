import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ContinuedSession } from '../../../src/engine/sessions/continued-session.js'
import { readModelConfig } from '../../../src/files/checkpoint/config.js'
import { openSafetensors } from '../../../src/files/checkpoint/safetensors.js'
import { planGraph } from '../../../src/jobs/export/onnx-files.js'
import { writePlannedFiles } from '../../../src/jobs/write-model/write-planned.js'
import { buildDecoder } from '../../../src/model/builder/build-decoder.js'
import type { ExportDtype } from '../../../src/model/export/dtypes.js'
import type { DecoderGraph } from '../../../src/model/graph/decoder-graph.js'
import { fixtureFolder, listFixtures, ONE_THREAD } from '../../support/fixture-model.js'
import { sample } from '../../support/long-tests.js'
import { makeTempFolder } from '../../support/temp-folder.js'

/** Texts of uneven lengths; a first run reads so many of their tokens, and the others follow one or two at a time. */
const TEXTS = [
  [5, 17, 33, 8, 41, 29, 3, 12, 50, 7, 22, 60],
  [9, 2, 44, 30, 11, 6, 1, 40],
]
const FIRST = [7, 3]
const STEPS = [1, 1, 2, 1]

/** The logits of each run, and their largest. */
async function readAll(decoder: DecoderGraph): Promise<{ logits: Float32Array[]; largest: number }> {
  const session = await ContinuedSession.open(decoder, TEXTS.length, ONE_THREAD)
  const ends = TEXTS.map(() => 0)
  const logits: Float32Array[] = []
  for (const counts of [FIRST, ...STEPS.map((step) => [step, step])]) {
    if (Math.max(...ends) + counts[0]! > (decoder.switchesAfter ?? Number.POSITIVE_INFINITY)) break
    const read = await session.read(TEXTS.map((ids, text) => ids.slice(ends[text]!, ends[text]! + counts[text]!)))
    logits.push(...read.map((row) => row.slice()))
    for (const [text, count] of counts.entries()) ends[text]! += count
  }
  await session.close()
  const largest = logits.reduce((most, row) => row.reduce((max, value) => Math.max(max, Math.abs(value)), most), 0)
  return { logits, largest }
}

/** The largest difference of two graphs' logits, in parts of the largest. */
async function compare(decoder: DecoderGraph, dtype: ExportDtype): Promise<number> {
  const graph = planGraph(decoder, dtype)
  const folder = makeTempFolder()
  await writePlannedFiles(folder, graph.files, { named: folder })
  const { switchesAfter } = decoder
  const written = { ...(await graph.open(folder)), ...(switchesAfter !== undefined && { switchesAfter }) }
  const [expected, found] = [await readAll(decoder), await readAll(written)]
  return (
    Math.max(
      ...expected.logits.flatMap((row, run) =>
        [...row].map((value, index) => Math.abs(value - found.logits[run]![index]!)),
      ),
    ) / expected.largest
  )
}

// caches.test.ts holds the graphs that these are made of against whole texts, and so against PyTorch
const fixtures = [
  ...new Set(['llama', 'gpt2', 'mixtral', 'diffllama', 'lfm2', 'mamba2', 'gemma2', ...sample(listFixtures(), 16)]),
]

it.each(fixtures)('%s, exported, continues padded texts as the model does', async (name) => {
  const config = await readModelConfig(fixtureFolder(name))
  const checkpoint = await openSafetensors(fixtureFolder(name))
  const decoder = buildDecoder(config, checkpoint, { continued: true })
  expect(await compare(decoder, 'fp32')).toBeLessThan(1e-5)
  expect(await compare(decoder, 'fp16')).toBeLessThan(1e-2)
})

it('stores a table that is looked up and multiplied by once', async () => {
  const folder = join(fixtureFolder('llama'), '../../../../examples/model')
  const decoder = buildDecoder(await readModelConfig(folder), await openSafetensors(folder), { continued: true })
  const size = ({ sizeBytes }: { sizeBytes: number }) => sizeBytes
  const fp32 = size(planGraph(decoder, 'fp32'))
  expect(fp32 / size(planGraph(decoder, 'fp16'))).toBeGreaterThan(1.6)
  expect(await compare(decoder, 'q8')).toBeLessThan(0.05)
  expect(await compare(decoder, 'q4')).toBeLessThan(0.5)
  expect(await compare(decoder, 'q4f16')).toBeLessThan(0.5)
})
