import { expect, it } from 'vitest'
import { createRandom } from '../../../src/base/random.js'
import { type Model, openModel } from '../../../src/engine/model.js'
import { openEvaluator } from '../../../src/jobs/evaluate/open-evaluator.js'
import type { EncodedRequest } from '../../../src/jobs/tasks/encode-requests.js'
import { scoreTasks } from '../../../src/jobs/tasks/score-tasks.js'
import { shareRuns } from '../../../src/jobs/tasks/share-runs.js'
import { takesTrees } from '../../../src/model/graph/tree-attention.js'
import { fixtureFolder, listFixtures, ONE_THREAD, readReference } from '../../support/fixture-model.js'
import { LONG_TESTS } from '../../support/long-tests.js'

/** Windows, chunks with growing queries, ALiBi in float32 and bfloat16, learnt positions, latent attention, sinks, shared keys. */
const READ_TREES = [
  ...['llama', 'gemma2', 'gemma3', 'gemma4-e2b', 'llama4', 'bloom', 'mpt', 'falcon-alibi', 'opt', 'biogpt'],
  ...['deepseek-v3', 'gpt-oss', 'diffllama', 'mistral-window'],
]
const READ_TEXTS_ONLY = [
  'mamba',
  'qwen3-next',
  'lfm2',
  'zamba2',
  'falcon-h1',
  'minimax',
  'phi3-longrope',
  'llama-dynamic',
]
/** For each token of a choice: float32 adds up in another order. */
const MOST_NATS = 1e-5

/** Choices of 1 to 6 tokens after contexts of 6 to 20, of which every other begins as the one before it; and one after a token. */
function makeRequests(name: string): EncodedRequest[] {
  const random = createRandom(7)
  const known = readReference(fixtureFolder(name)).texts.flat()
  const draw = (count: number) => Array.from({ length: count }, () => known[random.below(known.length)]!)
  let context: number[] = []
  const short = { input: draw(1), from: 0, ids: draw(1), cut: 0 }
  const others = Array.from({ length: 6 }, (_, place) => {
    context = [...(place % 2 === 0 ? [] : context), ...draw(6 + random.below(5))]
    return Array.from({ length: 3 }, (): EncodedRequest => {
      const ids = draw(1 + random.below(6))
      return { input: [...context, ...ids.slice(0, -1)], from: context.length - 1, ids, cut: 0 }
    })
  }).flat()
  return [short, ...others]
}

async function score(model: Model, requests: EncodedRequest[], trees: boolean) {
  const candidates = [[], [{ start: 0, end: 1 }]]
  const evaluator = await openEvaluator(model, { ...ONE_THREAD, blocks: candidates.flat() })
  const runs = shareRuns(requests, () => 'text', trees)
  const scores = await scoreTasks(evaluator, { requests, runs }, candidates, { batchSize: 2 }).finally(() =>
    evaluator.close(),
  )
  return { scores, tokens: runs.reduce((sum, { ids }) => sum + ids.length, 0) }
}

const open = (name: string) => openModel({ model: fixtureFolder(name) }, 'measure', { trees: true })
const models = await Promise.all(
  (LONG_TESTS ? listFixtures() : READ_TREES).map(async (name) => ({ name, reading: await open(name) })),
)

it.each(LONG_TESTS ? models.filter(({ reading }) => takesTrees(reading.decoder)) : models)(
  '$name finds choices in a prefix tree as likely as each in a text of its own',
  async ({ name, reading }) => {
    const requests = makeRequests(name)
    const single = await score(await openModel({ model: fixtureFolder(name) }), requests, false)
    const shared = await score(reading, requests, true)
    expect(shared.tokens).toBeLessThan(0.8 * single.tokens)
    for (const [candidate, { logLikelihoods, isTop }] of single.scores.entries()) {
      const found = shared.scores[candidate]!
      for (const [place, value] of logLikelihoods.entries()) {
        const most = MOST_NATS * requests[place]!.ids.length
        expect(Math.abs(value - found.logLikelihoods[place]!)).toBeLessThan(most)
      }
      expect(found.isTop).toEqual(isTop)
    }
  },
)

it.each(READ_TEXTS_ONLY)('%s reads texts only', async (name) => {
  expect(takesTrees((await open(name)).decoder)).toBe(false)
})
