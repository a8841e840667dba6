import { expect, it } from 'vitest'
import { clipGradients, scheduledRate } from '../../../src/jobs/heal/optimizer.js'
import { chooseSequences, packTexts } from '../../../src/jobs/heal/pack-texts.js'
import { chooseTraining, type TrainingOptions } from '../../../src/jobs/heal/settings.js'
import { startTraining, train } from '../../../src/jobs/heal/train.js'

/** Trains one number; the loss on held-out texts is given, and each step takes 10 s, or so many as are given. */
async function trainNumber(options: TrainingOptions, heldOutLosses: number[], seconds: number[] = []) {
  const settings = chooseTraining({ evaluateEvery: 1, ...options }, 16)
  const state = startTraining(new Map([['number', new Float32Array(1)]]), 4, settings)
  let ms = 0
  const measured = heldOutLosses.values()
  const durations = seconds.values()
  const ended = await train({
    settings,
    state,
    choose: () => [{ ids: [1, 2], origin: 'test' }],
    heldOut: [[{ ids: [1, 2], origin: 'test' }]],
    now: () => ms,
    source: {
      addGradients: async (_texts, _parameters, _share, gradients) => {
        ms += 1000 * (durations.next().value ?? 10)
        gradients.get('number')!.fill(1)
        return { nats: 1, tokens: 1 }
      },
      measure: async () => ({ nats: measured.next().value ?? 3, tokens: 1 }),
    },
  })
  return { ended, state }
}

it('ends if the held-out loss no longer falls, with the weights of the lowest', async () => {
  const { ended, state } = await trainNumber({ patience: 2 }, [3, 2, 2.5, 2.6, 1])
  expect([ended, state.optimizer.steps, state.best.step, state.best.heldOutLoss]).toEqual(['patience', 4, 2, 2])
  expect(state.best.parameters.get('number')![0]).not.toBe(state.parameters.get('number')![0])
})

it('takes as many steps as there is time for, however slow the first ones are', async () => {
  const { ended, state } = await trainNumber({ minutes: 1, warmupSteps: 1 }, [], [22, 9, 1, 1, 2, 5, 5, 5, 5, 5])
  expect([ended, state.optimizer.steps, state.seconds]).toEqual(['minutes', 10, 60])
})

it('ends when the minutes are over, whatever steps were asked for', async () => {
  const { ended, state } = await trainNumber({ minutes: 1, steps: 100, evaluateEvery: 50 }, [])
  expect([ended, state.optimizer.steps]).toEqual(['minutes', 6])
  expect(state.curve.map(({ step }) => step)).toEqual([0, 6])
})

it('the learning rate rises in a line and falls along half a cosine', () => {
  const rates = Array.from({ length: 7 }, (_, step) => scheduledRate(step, { peak: 4, warmupSteps: 3, steps: 7 }))
  const expected = [1, 2, 3, 4, 2 + Math.SQRT2, 2, 2 - Math.SQRT2]
  for (const [step, rate] of rates.entries()) expect(rate).toBeCloseTo(expected[step]!, 12)
})

it('with a time limit the learning rate falls with the time that has passed', () => {
  const rateOf = (step: number, timeShare: number) =>
    scheduledRate(step, { peak: 4, warmupSteps: 3, steps: Infinity, timeShare })
  expect(rateOf(0, 0)).toBe(1)
  expect(rateOf(9, 0.5)).toBeCloseTo(2, 12)
  expect(rateOf(10, 1)).toBe(0)
})

it('gradients are scaled down to the largest norm, and small ones are not', () => {
  const gradients = new Map([
    ['a', Float32Array.of(3)],
    ['b', Float32Array.of(4)],
  ])
  expect(clipGradients(gradients, 10)).toBe(5)
  expect(gradients.get('a')![0]).toBe(3)
  clipGradients(gradients, 1)
  expect(gradients.get('b')![0]).toBeCloseTo(0.8, 6)
})

it('packs texts with an end token between them, and drops what is left', async () => {
  async function* rows() {
    for (const text of ['abc', 'skip', 'de', 'fghi']) yield { text, origin: text }
  }
  const encode = (text: string) => [...text].map((letter) => letter.charCodeAt(0) - 96)
  const accepts = ({ text }: { text: string }) => text !== 'skip'
  const { sequences, texts } = await packTexts(rows(), encode, {
    maxLength: 4,
    most: 9,
    endToken: 0,
    accepts,
  })
  expect(sequences.map(({ ids }) => ids)).toEqual([
    [1, 2, 3, 0],
    [4, 5, 0, 6],
    [7, 8, 9, 0],
  ])
  expect(texts).toBe(3)
})

it('takes every sequence once before any comes again, in an order of its own each time', () => {
  const choose = chooseSequences([0, 1, 2, 3, 4, 5], { seed: 1, perStep: 4 })
  const drawn = [0, 1, 2].flatMap((step) => choose(step))
  expect(drawn.slice(0, 6).toSorted()).toEqual([0, 1, 2, 3, 4, 5])
  expect(drawn.slice(6).toSorted()).toEqual([0, 1, 2, 3, 4, 5])
  expect(drawn.slice(0, 6)).not.toEqual(drawn.slice(6))
  expect(choose(1)).toEqual(drawn.slice(4, 8))
})
