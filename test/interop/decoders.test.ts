import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, it } from 'vitest'
import { WRAPPERS } from '../../src/files/checkpoint/known-models.js'
import { pruneModel } from '../../src/jobs/prune/prune.js'
import { keepLayers } from '../../src/jobs/write-model/layer-numbers.js'
import { CUT_ONLY_FAMILIES } from '../../src/model/families/cut-only.js'
import { makeTempFolder } from '../support/temp-folder.js'
import { describeWithPython, python } from './needs.js'

const run = promisify(execFile)
const LAYERS = 6
const TEXTS = [
  [5, 9, 11, 20, 33, 40, 7, 8, 12, 50, 4],
  [61, 6, 6, 30, 14, 22, 45],
]
/** In the middle, one layer, from the start, up to the end. */
const CUTS: [start: number, end: number][] = [
  [2, 4],
  [1, 2],
  [0, 3],
  [4, 6],
]

/** What is refused of which model, and by which word; the other cuts must be right. */
const REFUSED: [name: RegExp, cuts: string[], message: string][] = [
  [/^rwkv$/, ['2:4', '1:2', '0:3', '4:6'], 'the recurrence of RWKV 4'],
  [/^zamba2?$/, ['2:4', '1:2', '0:3', '4:6'], 'share weights'],
  [/^zaya$/, ['2:4', '1:2', '0:3', '4:6'], "the output of the previous layer's router"],
  [/^diffllama$/, ['2:4', '1:2', '0:3'], 'depends on the number of the layer'],
  [/^jamba$/, ['2:4', '1:2', '0:3'], 'attn_layer_period'],
  [/^modernbert-decoder$/, ['0:3'], 'only layer 0'],
  [/^gpt_neox_japanese$/, ['4:6'], 'only the last layer'],
  [/^gemma4/, ['4:6'], 'must be one of full attention'],
  [/^qwen3_(vl|omni)/, ['1:2', '0:3'], 'deepstack_visual_indexes'],
]

let folder: string
beforeAll(async () => {
  folder = makeTempFolder()
})

async function runScript(name: string, ...args: string[]): Promise<unknown[]> {
  const { stdout } = await run(python, [join(import.meta.dirname, name), ...args])
  const lines = stdout.trim().split('\n')
  return lines.map((line) => JSON.parse(line))
}

interface Cut {
  model: string
  name: string
  pruned: string
  kept: number[]
}

/** Prunes a model in all places; of those that are refused the message. */
async function pruneEverywhere(model: { name: string; folder: string }) {
  const cuts: Cut[] = []
  const refused: Record<string, string> = {}
  for (const [start, end] of CUTS) {
    const cut = `${start}:${end}`
    const pruned = join(folder, `${model.name}-${start}-${end}`)
    const removed = [{ start, end }]
    try {
      await pruneModel({
        model: model.folder,
        output: pruned,
        format: 'safetensors',
        plan: { strategy: 'explicit', removed },
      })
      const { kept } = keepLayers(LAYERS, removed)
      cuts.push({ name: `${model.name} ${cut}`, model: model.folder, pruned, kept })
    } catch (error) {
      refused[cut] = (error as Error).message
    }
  }
  return { cuts, refused }
}

describeWithPython('decoders that are pruned by their configs', () => {
  it('compute in transformers what the whole ones do, or are refused', { timeout: 900_000 }, async () => {
    const models = (await runScript('make_decoders.py', join(folder, 'whole'))) as {
      name: string
      folder: string
    }[]
    const cases: object[] = []
    for (const model of models) {
      const { cuts, refused } = await pruneEverywhere(model)
      cases.push(...cuts.map((cut) => ({ ...cut, layers: LAYERS, texts: TEXTS })))
      const [, expected = [], message] = REFUSED.find(([name]) => name.test(model.name)) ?? []
      expect({ [model.name]: refused }).toEqual({
        [model.name]: Object.fromEntries(expected.map((cut) => [cut, expect.stringContaining(message!)])),
      })
    }
    const file = join(folder, 'cases.json')
    await writeFile(file, JSON.stringify(cases))
    const checked = (await runScript('check_pruned.py', file)) as { passedOver?: number }[]
    expect(checked).toHaveLength(cases.length)
    expect(checked.filter(({ passedOver }) => !(passedOver! < 1e-5))).toEqual([])
  })

  it('are all made whose cuts count as proven', async () => {
    const settings = await readFile(join(import.meta.dirname, 'decoder_settings.py'), 'utf8')
    const decoders = Object.entries(CUT_ONLY_FAMILIES).filter(([, { proven }]) => proven !== undefined)
    const wrappers = Object.entries(WRAPPERS).filter(([, { isCutProven }]) => isCutProven)
    const listed = [...decoders, ...wrappers].map(([name]) => name)
    expect(listed.length).toBeGreaterThan(30)
    const ownText = /^qwen\w+_text$/
    expect(listed.filter((name) => !settings.includes(`"${name}"`) && !ownText.test(name))).toEqual([])
  })
})
