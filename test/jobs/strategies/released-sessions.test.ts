import ort, { type InferenceSession } from 'onnxruntime-node'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { openModel } from '../../../src/engine/model.js'
import { InterruptedError, planLayers, type Strategy } from '../../../src/index.js'
import { findClosingProduct } from '../../../src/jobs/repair/closing-product.js'
import { openLayerFit } from '../../../src/jobs/repair/layer-fit.js'
import { makeMoments } from '../../../src/jobs/repair/moments.js'
import { repairModel } from '../../../src/jobs/repair/repair-model.js'
import { fixtureFolder } from '../../support/fixture-model.js'
import { TEXTS } from '../../support/paths.js'

afterEach(() => vi.restoreAllMocks())

/** Counts sessions of ONNX Runtime; `onOpen` runs before each is made, and may throw instead. */
function watchSessions(onOpen: (number: number) => void) {
  const open = new Set<InferenceSession>()
  const count = { opened: 0 }
  const create = ort.InferenceSession.create as (...args: unknown[]) => Promise<InferenceSession>
  vi.spyOn(ort.InferenceSession, 'create').mockImplementation(async (...args: unknown[]) => {
    onOpen(++count.opened)
    const session = await create(...args)
    open.add(session)
    const release = session.release.bind(session)
    session.release = () => {
      open.delete(session)
      return release()
    }
    return session
  })
  return { open, count }
}

const MODEL = fixtureFolder('llama')
const OPTIONS = { model: MODEL, dataset: TEXTS, batchSize: 1, maxLength: 8, threads: 1, layersToSkip: 1 }
/** Of each run, evenly spread over it. */
const STOPS = 3

type Run = (signal?: AbortSignal) => Promise<unknown>
const plan =
  (strategy: Strategy): Run =>
  (signal) =>
    planLayers({ ...OPTIONS, strategy, datasetSize: 2, verifySize: 1, signal })
const repair: Run = (signal) =>
  repairModel({ ...OPTIONS, removed: [{ start: 1, end: 2 }], datasetSize: 2, evaluateSize: 1, signal })

it('a layer fit releases what it opened, also after a session that could not be opened', async () => {
  const { decoder, config } = await openModel({ model: MODEL })
  const product = findClosingProduct(decoder, 0)
  const fit = await openLayerFit(decoder, config, { products: [product] }, { device: 'cpu' })
  const { open, count } = watchSessions((number) => {
    if (number === 1) throw new Error('cannot be opened')
  })
  const texts = [{ ids: [1, 2, 3], origin: '' }]
  const state = new ort.Tensor('float32', new Float32Array(3 * product.outputs).fill(1), [1, 3, product.outputs])
  const batch = { texts, state, target: state } as Parameters<typeof fit.addMoments>[0]
  await expect(fit.addMoments(batch, makeMoments(fit.groups, product.outputs))).rejects.toThrow('cannot be opened')
  await fit.change(batch, new Float32Array(fit.groups[0]! * product.outputs))
  expect([count.opened, open.size]).toEqual([2, 1])
  await fit.close()
  expect(open.size).toBe(0)
})

describe.each([
  ['greedy-perplexity', plan('greedy-perplexity')],
  ['verified', plan('verified')],
  ['repaired', plan('repaired')],
  ['a repair', repair],
])('sessions of %s are released', (_, run) => {
  it('whichever cannot be opened, and whenever the run is stopped', async () => {
    const { open, count } = watchSessions(() => {})
    await run()
    const sessions = count.opened
    expect(sessions).toBeGreaterThan(4)
    expect(open.size).toBe(0)
    vi.restoreAllMocks()
    for (let stop = 1; stop <= sessions; stop += Math.ceil(sessions / STOPS)) {
      const failing = watchSessions((number) => {
        if (number === stop) throw new Error('cannot be opened')
      })
      await expect(run()).rejects.toThrow('cannot be opened')
      expect(failing.open.size, `session ${stop} of ${sessions}`).toBe(0)
      vi.restoreAllMocks()
      const controller = new AbortController()
      const stopped = watchSessions((number) => {
        if (number === stop) controller.abort()
      })
      await run(controller.signal).catch((error) => expect(error).toBeInstanceOf(InterruptedError))
      expect(stopped.open.size, `stopped at session ${stop} of ${sessions}`).toBe(0)
      vi.restoreAllMocks()
    }
  })
})
