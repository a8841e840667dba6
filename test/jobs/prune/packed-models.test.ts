import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openModel } from '../../../src/engine/model.js'
import { pruneModel } from '../../../src/jobs/prune/prune.js'
import { cutBlocks } from '../../../src/model/graph/cut.js'
import { replaceWeights } from '../../../src/model/graph/replace-weights.js'
import { largestDifference } from '../../support/largest-difference.js'
import { sample } from '../../support/long-tests.js'
import { FIXTURES } from '../../support/paths.js'
import { runDecoder } from '../../support/run-decoder.js'
import { makeTempFolder } from '../../support/temp-folder.js'
import { readTensors } from '../../support/tensor-file.js'

const PACKED = join(FIXTURES, 'packed')
const REMOVED = [{ start: 0, end: 1 }]
const REPLACED = 'model.layers.1.mlp.down_proj.weight'

type QuantizedConfig = Record<'quantization_config' | 'quantization', Record<string, unknown>>

/** Where config.json lists modules that are not quantised, by how the names of fixtures begin. */
const LISTS: [RegExp, (config: QuantizedConfig) => unknown, unknown][] = [
  [/^fp8|^awq/, (config) => config.quantization_config.modules_to_not_convert, 'list'],
  [/^bnb/, (config) => config.quantization_config.llm_int8_skip_modules, 'list'],
  [/^ct/, (config) => config.quantization_config.ignore, 'list'],
  [/^modelopt/, (config) => config.quantization_config.ignore, ['model.layers.0.mlp.down_proj']],
  [/^gptq/, (config) => config.quantization_config.dynamic, { '-:^model\\.layers\\.0\\.mlp\\.down_proj$': {} }],
  [/^mlx/, (config) => config.quantization['model.layers.0.mlp.down_proj'], false],
]

function numbers(count: number): Float32Array {
  let seed = 5
  return Float32Array.from({ length: count }, () => {
    seed = (seed * 48271) % 2147483647
    return (seed / 2147483647 - 0.5) / 4
  })
}

it.each(
  sample(
    readdirSync(PACKED).filter((name) => name !== 'mxfp4-experts'),
    2,
  ),
)('%s without a layer and with a repaired weight computes what the cut graph does', async (name) => {
  const folder = join(PACKED, name)
  const shape = [64, 96]
  const replacements = new Map([[REPLACED, { shape, data: numbers(64 * 96) }]])
  const output = join(makeTempFolder(), 'pruned')
  const plan = { strategy: 'explicit', removed: REMOVED }
  await pruneModel({ model: folder, output, plan, replacements })
  const whole = await openModel({ model: folder })
  const expected = await runDecoder(cutBlocks(replaceWeights(whole.decoder, replacements), REMOVED), whole.config)
  const pruned = await openModel({ model: output })
  expect(largestDifference(await runDecoder(pruned.decoder, pruned.config), expected)).toBeLessThan(1e-4)

  const before = readTensors(join(folder, 'model.safetensors'))
  const after = readTensors(join(output, 'model.safetensors'))
  expect(after.get('model.layers.0.mlp.down_proj.weight')).toMatchObject({ dtype: 'BF16', shape })
  for (const [stored, { data }] of after) {
    if (stored.includes('down_proj')) expect(stored).toBe('model.layers.0.mlp.down_proj.weight')
    else expect(Buffer.compare(data, before.get(stored.replace('layers.0.', 'layers.1.'))!.data), stored).toBe(0)
  }
  const [, list, wanted] = LISTS.find(([pattern]) => pattern.test(name))!
  const config = JSON.parse(readFileSync(join(output, 'config.json'), 'utf8'))
  const expectedList = wanted === 'list' ? ['lm_head', 'model.layers.0.mlp.down_proj'] : wanted
  expect(list(config)).toEqual(expectedList)
})

it('experts in MXFP4 without a layer compute what the cut graph does', async () => {
  const folder = join(PACKED, 'mxfp4-experts')
  const output = join(makeTempFolder(), 'pruned')
  await pruneModel({ model: folder, output, plan: { strategy: 'explicit', removed: REMOVED } })
  const whole = await openModel({ model: folder })
  const expected = await runDecoder(cutBlocks(whole.decoder, REMOVED), whole.config)
  const pruned = await openModel({ model: output })
  expect(largestDifference(await runDecoder(pruned.decoder, pruned.config), expected)).toBeLessThan(1e-4)
})
