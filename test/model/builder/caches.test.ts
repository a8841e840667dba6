import { expect, it } from 'vitest'
import { ContinuedSession } from '../../../src/engine/sessions/continued-session.js'
import { readModelConfig } from '../../../src/files/checkpoint/config.js'
import { openSafetensors } from '../../../src/files/checkpoint/safetensors.js'
import { buildDecoder } from '../../../src/model/builder/build-decoder.js'
import { fixtureFolder, listFixtures, ONE_THREAD } from '../../support/fixture-model.js'
import { sample } from '../../support/long-tests.js'
import { runDecoder } from '../../support/run-decoder.js'

/** Texts of uneven lengths; a first run reads so many of their tokens, and the others follow one or two at a time. */
const TEXTS = [
  [5, 17, 33, 8, 41, 29, 3, 12, 50, 7, 22, 60],
  [9, 2, 44, 30, 11, 6, 1, 40],
]
const FIRST = [7, 3]
const STEPS = [1, 1, 2, 1]

/** Its stored decays were rounded one by one, and a run that continues uses the rates that they come from. */
const ROUNDED = new Set(['minimax'])

/** One fixture of each way to mix tokens, and some others. */
const MIXERS = [
  ...[
    'bloom',
    'deepseek-v3',
    'diffllama',
    'falcon-h1',
    'gemma2',
    'gemma4-e2b',
    'gpt-oss',
    'gpt2',
    'jamba',
    'kimi-linear',
  ],
  ...['lfm2', 'llama', 'llama4', 'mamba', 'mamba2', 'minimax', 'mpt', 'opt', 'phi3-longrope', 'qwen3-next'],
  ...['recurrent-gemma', 'zamba2'],
]
const fixtures = listFixtures()

it('knows the fixtures of all mixers', () => {
  expect(MIXERS.filter((name) => !fixtures.includes(name))).toEqual([])
})

it.each([...new Set([...MIXERS, ...sample(fixtures, 8)])])(
  '%s, continued, gives the logits of whole texts',
  async (name) => {
    const config = await readModelConfig(fixtureFolder(name))
    const checkpoint = await openSafetensors(fixtureFolder(name))
    const decoder = buildDecoder(config, checkpoint, { continued: true })
    const session = await ContinuedSession.open(decoder, TEXTS.length, ONE_THREAD)
    const ends = TEXTS.map(() => 0)
    const found: { text: number; end: number; logits: Float32Array }[] = []
    const read = async (counts: number[]) => {
      const logits = await session.read(TEXTS.map((ids, text) => ids.slice(ends[text]!, ends[text]! + counts[text]!)))
      for (const [text, count] of counts.entries()) {
        ends[text]! += count
        found.push({ text, end: ends[text]!, logits: logits[text]!.slice() })
      }
    }
    await read(FIRST)
    for (const step of STEPS) {
      if (Math.max(...ends) + step > (decoder.switchesAfter ?? Number.POSITIVE_INFINITY)) break
      await read(TEXTS.map(() => step))
    }
    await session.close()

    const texts = TEXTS.map((ids, text) => ids.slice(0, ends[text]))
    const whole = await runDecoder(buildDecoder(config, checkpoint), config, texts)
    const largest = whole.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    for (const { text, end, logits } of found) {
      const row = text * texts[0]!.length + end - 1
      const difference = logits.reduce(
        (most, value, index) => Math.max(most, Math.abs(value - whole[row * logits.length + index]!)),
        0,
      )
      expect(difference / largest, `text ${text} up to token ${end}`).toBeLessThan(ROUNDED.has(name) ? 1e-3 : 1e-5)
    }
  },
)
