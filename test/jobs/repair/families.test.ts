import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openModel } from '../../../src/engine/model.js'
import { openDecoderPieces, type State } from '../../../src/engine/sessions/decoder-pieces.js'
import { findClosingProduct, findProducts } from '../../../src/jobs/repair/closing-product.js'
import { changeLayer, fitLayer } from '../../../src/jobs/repair/fit-layer.js'
import { makeReplacements } from '../../../src/jobs/repair/make-replacements.js'
import { PhaseMeter } from '../../../src/jobs/repair/phase-meter.js'
import { TensorStore } from '../../../src/jobs/repair/tensor-store.js'
import { openTileProducts, type TileProducts } from '../../../src/jobs/repair/tile-products.js'
import { DataType } from '../../../src/model/graph/onnx/onnx.js'
import { replaceWeights } from '../../../src/model/graph/replace-weights.js'
import { ONE_THREAD, readReference } from '../../support/fixture-model.js'
import { largestDifference } from '../../support/largest-difference.js'
import { LONG_TESTS, sample } from '../../support/long-tests.js'
import { FIXTURES } from '../../support/paths.js'

const names = ['families', 'onnx'].flatMap((kind) =>
  readdirSync(join(FIXTURES, kind))
    .filter((name) => existsSync(join(FIXTURES, kind, name, 'reference.json')))
    .map((name) => join(kind, name)),
)

/** Families in which what a layer adds is normed first, goes through experts, or is computed from few bits. */
const REFUSED: [families: RegExp, reason: RegExp][] = [
  [
    /\/(afmoe|exaone4|flex-olmo|gemma2|gemma3|glm-ocr|glm4(?!-moe)|glm46v|glm4v(?!-moe)|gpt1|hyperclovax|kolibri1|minimax(?!-m2)|olmo2|olmo3|opt-post-norm)(-|$)|\/(axk1-fused|lfm3|olmo-hybrid-rope)$/,
    /a norm stands between the stream and what its MLP adds/,
  ],
  [
    /\/(dbrx|genai-gpt-oss|gpt-oss|granitemoe|granitemoe-fused|minimax-m2|mixtral|mixtral-window|olmoe|phimoe|phimoe-fused|qwen2-moe|qwen3-5-moe|qwen3-moe|qwen3-moe-64|qwen3-moe-fused|qwen3-next|qwen3-omni|qwen3-vl-moe)$/,
    /mixture of experts/,
  ],
  [/\/(genai-)?gemma4(-|$)/, /passes Mul before it is added to the stream/],
  [/-int4$/, /quantised \(MatMulNBits\)/],
]

const refused = names.flatMap((name) =>
  REFUSED.filter(([families]) => families.test(name)).map(([, reason]) => ({ name, reason })),
)

/** Variants that differ from their family in positions, windows, tied weights or scales, not in what a layer adds. */
const VARIANT =
  /-(alibi|dynamic|layer-types|linear|llama3|longrope|longrope-partial|scaled|tied|unscaled|untied|window|yarn|yarn-mscale)$/

const fitted = sample(
  names.filter((name) => refused.every((other) => other.name !== name) && (LONG_TESTS || !VARIANT.test(name))),
  4,
)

/** Products by which layer 0 adds to the stream: of its mixer and its MLP unless the family has others. */
const PRODUCTS: [families: RegExp, count: number][] = [
  [/\/falcon-h1(-|$)/, 3],
  [/\/(falcon-mamba|mamba|mamba2|nemotron-h|zamba2)(-|$)/, 1],
]

let tiles: TileProducts
beforeAll(async () => {
  tiles = await openTileProducts(1)
})
afterAll(() => tiles.close())

describe.each(fitted)('%s', (name) => {
  it('does with its changed weights what was fitted', async () => {
    const model = await openModel({ model: join(FIXTURES, name) })
    const { decoder, config } = model
    const texts = readReference(join(FIXTURES, name)).texts.map((ids) => ({ ids, origin: name }))
    const products = findProducts(decoder, 0)
    const pieces = await openDecoderPieces(decoder, config, [0, 1, config.layers], ONE_THREAD)
    const state = await pieces.embed(texts)
    const after = await pieces.run(0, state, texts)
    const target = await pieces.run(1, after, texts)
    const store = new TensorStore()
    const batch = { texts, state: await store.keep(state), target: await store.keep(target) }
    const options = {
      ...{ ...ONE_THREAD, products: tiles, store, meter: new PhaseMeter() },
      isHeldOut: (index: number) => index === 1,
    }
    const { changes, heldOutShare } = await fitLayer(decoder, config, products, [batch, batch], options)
    const [repaired] = await changeLayer(decoder, config, changes, [batch], options)
    const replaced = replaceWeights(decoder, await makeReplacements(decoder, changes))
    const changed = await openDecoderPieces(replaced, config, [0, 1, config.layers], ONE_THREAD)
    const stored = await changed.run(0, state, texts)

    expect(products.length).toBe(PRODUCTS.find(([families]) => families.test(name))?.[1] ?? 2)
    expect(changes.at(-1)!.product.weight.name).toBe(products.at(-1)!.weight.name)
    expect(heldOutShare).toBeLessThan(1)
    // half precision rounds what is stored, and so few texts make for large changes
    const rounding = products[0]!.weight.dataType === DataType.FLOAT ? 1e-4 : 0.1
    const expected = valuesOf(stored, texts)
    const scale = Math.max(...expected.map(Math.abs))
    expect(largestDifference(valuesOf((await repaired!.read()) as State, texts), expected) / scale).toBeLessThan(
      rounding,
    )
    await Promise.all([pieces.close(), changed.close()])
  })
})

describe.each(refused)('$name', ({ name, reason }) => {
  it('is refused with the reason', async () => {
    const { decoder } = await openModel({ model: join(FIXTURES, name) })
    expect(() => findClosingProduct(decoder, 0)).toThrow(reason)
  })
})

/** The values of the tokens of each text, without those of its padding. */
function valuesOf({ dims, data }: State, texts: { ids: number[] }[]): number[] {
  const [, tokens, hidden] = dims as [number, number, number]
  return texts.flatMap(({ ids }, text) => [
    ...data.slice(text * tokens * hidden, (text * tokens + ids.length) * hidden),
  ])
}
