import { join } from 'node:path'
import * as ort from 'onnxruntime-node'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Model, openModel } from '../../../src/engine/model.js'
import { openDecoderPieces } from '../../../src/engine/sessions/decoder-pieces.js'
import { findBoundaries } from '../../../src/jobs/evaluate/kept-pieces.js'
import { openLimitedEvaluator } from '../../../src/jobs/evaluate/limited-evaluator.js'
import { openEvaluator } from '../../../src/jobs/evaluate/open-evaluator.js'
import { parseBlocks } from '../../../src/model/layers/blocks.js'
import type { EncodedText } from '../../../src/texts/tokens/windows.js'
import { listFixtures, ONE_THREAD, readReference } from '../../support/fixture-model.js'
import { LONG_TESTS } from '../../support/long-tests.js'
import { FIXTURES } from '../../support/paths.js'

const CUTS = ['1:2', '0:1,2:3'].map((cut) => parseBlocks(cut))

const MODELS = LONG_TESTS
  ? [
      ...listFixtures()
        .filter((name) => !/^gemma4-(e2b|vl)$/.test(name))
        .map((name) => `families/${name}`),
      'onnx/gpt2',
      'onnx/fused-llama',
    ]
  : ['families/gemma2', 'families/falcon-h1', 'onnx/gpt2']

async function open(name: string): Promise<{ model: Model; texts: EncodedText[]; maxLength: number }> {
  const folder = join(FIXTURES, name)
  const texts = readReference(folder)
    .texts.filter((ids) => ids.length > 1)
    .slice(0, 2)
  return {
    model: await openModel({ model: folder }),
    texts: texts.map((ids) => ({ ids, origin: '' })),
    maxLength: Math.max(...texts.map(({ length }) => length)),
  }
}

/** The least memory in which one text runs along some paths, one layer loaded at a time. */
async function leastMemory({ decoder, config }: Model, tokens: number, paths: number): Promise<number> {
  const boundaries = findBoundaries(config.layers, undefined)
  const pieces = await openDecoderPieces(decoder, config, boundaries, ONE_THREAD)
  return pieces.measureMemory().leastBytes({ texts: 1, tokens, paths })
}

describe('an evaluator within a limit of memory', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it.each(MODELS)('measures what one without it does, bit by bit: %s', async (name) => {
    // what the test runner itself takes does not count
    vi.spyOn(process.memoryUsage, 'rss').mockReturnValue(0)
    const { model, texts, maxLength } = await open(name)
    const cuts = CUTS.filter((blocks) => blocks.every(({ end }) => end <= model.config.layers))
    const free = await openEvaluator(model, ONE_THREAD)
    const notes: string[] = []
    const limit = { maxMemory: await leastMemory(model, maxLength, 2), maxLength }
    const limited = await openLimitedEvaluator(model, {
      ...ONE_THREAD,
      limit,
      onNote: (note) => notes.push(note),
    })
    try {
      const create = vi.spyOn(ort.InferenceSession, 'create')
      expect(await limited.compare(texts, cuts)).toEqual(await free.compare(texts, cuts))
      expect(await limited.measure(texts, cuts)).toEqual(await free.measure(texts, cuts))
      // layers were loaded for each text and each group of cuts again
      expect(create.mock.calls.length).toBeGreaterThan(texts.length * cuts.length * model.config.layers)
      expect(notes).toEqual([
        expect.stringMatching(/^loading layers as they are needed, for 1 text at a time, to stay within/),
      ])
    } finally {
      await limited.close()
      await free.close()
    }
  })

  it('loads each layer once if there is room for all', async () => {
    const { model, texts, maxLength } = await open('families/llama')
    const create = vi.spyOn(ort.InferenceSession, 'create')
    const limited = await openLimitedEvaluator(model, {
      ...ONE_THREAD,
      limit: { maxMemory: 1e10, maxLength },
    })
    try {
      for (const cuts of [CUTS, []]) await limited.compare(texts, cuts)
      expect(create).toHaveBeenCalledTimes(model.config.layers + 2)
      expect(limited.tokensPerSecond([])).toBeGreaterThan(0)
    } finally {
      await limited.close()
    }
  })

  it('refuses a limit in which one text does not fit, and says which does', async () => {
    const { model, maxLength } = await open('families/llama')
    vi.spyOn(process.memoryUsage, 'rss').mockReturnValue(5e7)
    const least = 5e7 + (await leastMemory(model, maxLength, 2))
    const openWith = (maxMemory: number) =>
      openLimitedEvaluator(model, { ...ONE_THREAD, limit: { maxMemory, maxLength } })
    await expect(openWith(least - 1)).rejects.toThrow(
      `this model takes at least ${Math.ceil(least / 1e6)}MB for texts of ${maxLength} tokens`,
    )
    await (await openWith(least)).close()
  })
})
