import { AutoModelForCausalLM, env, Tensor } from '@huggingface/transformers'
import { afterAll, expect, it } from 'vitest'
import { type Model, openModel } from '../../../src/engine/model.js'
import { ContinuedSession } from '../../../src/engine/sessions/continued-session.js'
import { exportModel } from '../../../src/jobs/export/export-model.js'
import { fixtureFolder, listFixtures, ONE_THREAD } from '../../support/fixture-model.js'
import { sample } from '../../support/long-tests.js'
import { makeTempFolder } from '../../support/temp-folder.js'

/** Of uneven lengths, so that one is padded. */
const TEXTS = [
  [5, 17, 33, 8, 41, 29, 3],
  [9, 2, 44, 30],
]
const MOST_TOKENS = 32

/** Our own greedy tokens, which `caches.test.ts` and `generation.json` hold against PyTorch. */
async function continueTexts({ buildContinued }: Model, tokens: number): Promise<number[][]> {
  const session = await ContinuedSession.open(buildContinued!(), TEXTS.length, ONE_THREAD)
  const continuations = TEXTS.map((): number[] => [])
  let next = TEXTS
  for (let token = 0; token < tokens; token++) {
    const logits = await session.read(next)
    next = logits.map((row) => [row.indexOf(Math.max(...row))])
    for (const [text, [id]] of next.entries()) continuations[text]!.push(id!)
  }
  await session.close()
  return continuations
}

async function continueInTransformersJs(name: string, tokens: number): Promise<number[][]> {
  const model = await AutoModelForCausalLM.from_pretrained(name, {
    dtype: 'fp32',
    session_options: { intraOpNumThreads: 1 },
  })
  const width = Math.max(...TEXTS.map(({ length }) => length))
  const pad = (row: number[]) => [...Array<number>(width - row.length).fill(0), ...row]
  const integers = (rows: number[][]) =>
    new Tensor('int64', BigInt64Array.from(rows.flatMap(pad), BigInt), [rows.length, width])
  const output = await model.generate({
    ...{ input_ids: integers(TEXTS), attention_mask: integers(TEXTS.map((ids) => ids.map(() => 1))) },
    // none of the fixtures' ids ends a text
    ...{ max_new_tokens: tokens, do_sample: false, eos_token_id: [-1] },
  } as never)
  await model.dispose()
  const ids = [...(output as unknown as { data: BigInt64Array }).data].map(Number)
  return TEXTS.map((_, text) => ids.slice(text * (width + tokens) + width, (text + 1) * (width + tokens)))
}

const cwd = makeTempFolder()
const known: string[] = []
const unknown: string[] = []
const names = [...new Set(['lfm2', 'granite4-moe', 'qwen3-next', 'gemma3-vl', ...sample(listFixtures(), 52)])]

it.each(names)(
  '%s gives the same tokens in transformers.js, if that knows its family',
  { timeout: 60_000 },
  async (name) => {
    env.allowRemoteModels = false
    env.localModelPath = `${cwd}/`
    const model = await openModel({ model: fixtureFolder(name) })
    const { decoder, config } = model
    const tokens = Math.min(MOST_TOKENS, (config.maxPositions ?? 1e9) - 8, (decoder.switchesAfter ?? 1e9) - 8)
    const { knownToTransformersJs } = await exportModel({
      ...{ model: fixtureFolder(name), to: 'onnx', dtype: ['fp32'], check: false },
      output: `${cwd}/${name}`,
    })
    if (knownToTransformersJs) {
      known.push(config.family)
      expect(await continueInTransformersJs(name, tokens)).toEqual(await continueTexts(model, tokens))
    } else {
      unknown.push(config.family)
    }
  },
)

afterAll(() => {
  expect(known.length).toBeGreaterThan(3)
  expect(unknown.filter((family) => known.includes(family))).toEqual([])
})
