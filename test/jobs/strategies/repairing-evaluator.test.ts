import { expect, it } from 'vitest'
import { openModel } from '../../../src/engine/model.js'
import { openEvaluator } from '../../../src/jobs/evaluate/open-evaluator.js'
import { openRepairingEvaluator } from '../../../src/jobs/strategies/repairing-evaluator.js'
import { fixtureFolder } from '../../support/fixture-model.js'
import { drawBatches, makeLinearModel } from '../../support/linear-model.js'

const BLOCKS = [[], [{ start: 1, end: 2 }], [{ start: 0, end: 1 }], [{ start: 1, end: 3 }]]

it('measures cuts as they are once they are repaired', async () => {
  const model = await openModel({ model: await makeLinearModel() })
  const batches = drawBatches(model.config.raw.vocab_size as number)
  const plain = await openEvaluator(model, { device: 'cpu' })
  const repairing = await openRepairingEvaluator(model, batches.slice(1), { device: 'cpu' })
  const [whole, cut] = await plain.measure(batches[0]!, BLOCKS)
  const [same, repaired, first, longer] = await repairing.measure(batches[0]!, BLOCKS)
  await Promise.all([plain.close(), repairing.close()])

  expect(Array.from(same!)).toEqual(Array.from(whole!))
  // the ridge keeps a tenth of the features' size from being used in full
  expect(distance(repaired!, whole!)).toBeLessThan(0.3 * distance(cut!, whole!))
  expect(Array.from(first!)).toEqual(Array.from(first!, () => Infinity))
  expect(Array.from(longer!).every(Number.isFinite)).toBe(true)
})

it('says how much error cuts add, and holds what that took for later runs', async () => {
  const model = await openModel({ model: await makeLinearModel() })
  const batches = drawBatches(model.config.raw.vocab_size as number)
  const [batch] = batches as [(typeof batches)[number]]
  const open = () => openRepairingEvaluator(model, batches.slice(1), { device: 'cpu' })
  const [holding, plain] = [await open(), await open()]
  const [cut] = BLOCKS[1]!
  const [first, second, longer, same] = await holding.measureErrors(batch, [], [BLOCKS[2]!, [cut!], BLOCKS[3]!, []])
  expect([first, same]).toEqual([Infinity, Infinity])
  expect(second).toBeGreaterThan(0)
  expect(longer).toBeGreaterThan(second!)
  // a model that is cut already has an error of its own
  const [added] = await holding.measureErrors(batch, [cut!], [BLOCKS[3]!])
  expect(added).toBeGreaterThan(0)
  expect(added).toBeLessThan(longer!)
  expect(await holding.measure(batch, BLOCKS)).toEqual(await plain.measure(batch, BLOCKS))
  await Promise.all([holding.close(), plain.close()])
})

it('refuses a model of which no cut can be repaired', async () => {
  const model = await openModel({ model: fixtureFolder('gemma2') })
  await expect(openRepairingEvaluator(model, drawBatches(8, 1), { device: 'cpu' })).rejects.toThrow(
    'a norm stands between the stream and what its MLP adds',
  )
})

function distance(a: Float64Array, b: Float64Array): number {
  return Math.hypot(...a.map((value, index) => value - b[index]!))
}
