import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openModel } from '../../../src/engine/model.js'
import { pruneModel } from '../../../src/jobs/prune/prune.js'
import { cutBlocks } from '../../../src/model/graph/cut.js'
import { largestDifference } from '../../support/largest-difference.js'
import { FIXTURES } from '../../support/paths.js'
import { runDecoder } from '../../support/run-decoder.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const FIXTURE = join(FIXTURES, 'packed/modelopt-fp8')
const FILE = 'hf_quant_config.json'

const readJson = (folder: string, name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'))

/** The fixture as ModelOpt first exported models: config.json says nothing about weights. */
function exportAsAtFirst(quantization: object): string {
  const folder = makeTempFolder()
  cpSync(FIXTURE, folder, { recursive: true })
  const { quantization_config: _, ...config } = readJson(folder, 'config.json')
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  writeFileSync(join(folder, FILE), JSON.stringify({ producer: { name: 'modelopt', version: '0.23.0' }, quantization }))
  return folder
}

const FP8 = {
  quant_algo: 'FP8',
  kv_cache_quant_algo: null,
  exclude_modules: ['lm_head', 'model.layers.1.mlp.gate_proj'],
}

async function run(folder: string) {
  const model = await openModel({ model: folder })
  return runDecoder(model.decoder, model.config)
}

it('reads how weights are quantised from hf_quant_config.json', async () => {
  expect(await run(exportAsAtFirst(FP8))).toEqual(await run(FIXTURE))
})

it('writes that file for the layers that are kept, and config.json as it was', async () => {
  const folder = exportAsAtFirst(FP8)
  const output = join(makeTempFolder(), 'pruned')
  const removed = [{ start: 0, end: 1 }]
  await pruneModel({ model: folder, output, plan: { strategy: 'explicit', removed } })
  expect(readJson(output, 'config.json')).not.toHaveProperty('quantization_config')
  const expected = { ...FP8, exclude_modules: ['lm_head', 'model.layers.0.mlp.gate_proj'] }
  expect(readJson(output, FILE)).toMatchObject({ producer: { name: 'modelopt' }, quantization: expected })
  const whole = await openModel({ model: folder })
  const cut = await runDecoder(cutBlocks(whole.decoder, removed), whole.config)
  expect(largestDifference(await run(output), cut)).toBeLessThan(1e-4)
})

it('names it if it selects layers by a pattern', async () => {
  const folder = exportAsAtFirst({ ...FP8, exclude_modules: ['model.layers.1.*'] })
  const output = join(makeTempFolder(), 'pruned')
  const pruned = pruneModel({ model: folder, output, plan: { strategy: 'explicit', removed: [{ start: 0, end: 1 }] } })
  await expect(pruned).rejects.toThrow(/hf_quant_config.json selects quantised modules by the pattern/)
})
