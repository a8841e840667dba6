import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openSafetensors } from '../../../src/files/checkpoint/safetensors.js'
import { GradientSource } from '../../../src/jobs/heal/gradient-source.js'
import { chooseTraining } from '../../../src/jobs/heal/settings.js'
import { listTargets } from '../../../src/jobs/heal/targets.js'
import { startTraining, train } from '../../../src/jobs/heal/train.js'
import { describeDecoder } from '../../../src/model/builder/build-decoder.js'
import { addAdapters } from '../../../src/model/gradient/adapters.js'
import type { TrainedWeight } from '../../../src/model/gradient/trained.js'
import { buildFrom, fixtureFolder, ONE_THREAD } from '../../support/fixture-model.js'
import { largestDifference } from '../../support/largest-difference.js'
import { sample } from '../../support/long-tests.js'
import { FIXTURES } from '../../support/paths.js'

/** Losses of 20 steps in PEFT, by make-training.py. */
const LOSSES: Record<string, number[]> = JSON.parse(readFileSync(join(FIXTURES, 'training.json'), 'utf8'))

const SEQUENCES = Array.from({ length: 8 }, (_, row) => ({
  ids: Array.from({ length: 16 }, (_, index) => ((37 * index * index + 11 * index * row + 5 * row) % 250) + 3),
  origin: `sequence ${row}`,
}))

function wave({ shape }: TrainedWeight, of: (angle: number) => number): Float32Array {
  return Float32Array.from({ length: shape[0]! * shape[1]! }, (_, index) => 0.3 * of(index + 1))
}

async function openTraining(name: string, layersAtOnce?: number) {
  const folder = fixtureFolder(name)
  const [{ decoder, config }, { tensors }] = [await buildFrom(folder), await openSafetensors(folder)]
  const modules = listTargets(describeDecoder(config, tensors), tensors)
  const adapted = addAdapters(decoder, modules, { rank: 4, alpha: 8 })
  const trained = adapted.adapters.flatMap(({ into, back }) => [into, back])
  const parameters = new Map(
    adapted.adapters.flatMap(({ into, back }): [string, Float32Array][] => [
      [into.name, wave(into, Math.cos)],
      [back.name, wave(back, Math.sin)],
    ]),
  )
  const source = await GradientSource.open(adapted.decoder, config, { ...ONE_THREAD, trained, layersAtOnce })
  return { source, parameters }
}

function expectLosses(found: number[], expected: number[]) {
  expect(found.length).toBe(expected.length)
  expect(largestDifference(found, expected)).toBeLessThan(1e-4)
}

const SETTINGS = chooseTraining(
  { steps: 20, batchSize: 2, learningRate: 0.01, warmupSteps: 3, weightDecay: 0.01, evaluateEvery: 20 },
  16,
)
const choose = (step: number) => [0, 1].map((index) => SEQUENCES[(2 * step + index) % SEQUENCES.length]!)

describe.each(sample(Object.keys(LOSSES), 3))('%s', (name) => {
  it('20 steps of AdamW give the losses of PEFT', async () => {
    const { source, parameters } = await openTraining(name)
    const state = startTraining(parameters, Infinity, SETTINGS)
    expect(await train({ source, settings: SETTINGS, choose, heldOut: [SEQUENCES], state })).toBe('steps')
    await source.close()
    expectLosses(state.losses, LOSSES[name]!)
    expect(state.curve.map(({ step }) => step)).toEqual([0, 20])
    expect(state.best.step).toBe(20)
  })
})

it('one layer at a time and one sequence at a time, the losses are the same', async () => {
  const { source, parameters } = await openTraining('llama', 1)
  const settings = { ...SETTINGS, microBatchSize: 1 }
  const state = startTraining(parameters, Infinity, settings)
  await train({ source, settings, choose, heldOut: [SEQUENCES], state })
  await source.close()
  expectLosses(state.losses, LOSSES.llama!)
})
