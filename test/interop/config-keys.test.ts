import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { LayerpruneError } from '../../src/base/errors.js'
import { interpretConfig } from '../../src/files/checkpoint/config.js'
import { toStrictJson } from '../../src/files/checkpoint/python-json.js'
import { openSafetensors } from '../../src/files/checkpoint/safetensors.js'
import { buildDecoder } from '../../src/model/builder/build-decoder.js'
import { fixtureFolder, measureTexts, readConfig } from '../support/fixture-model.js'
import { largestDifference } from '../support/largest-difference.js'
import { describeWithPython, python } from './needs.js'

/** The size of the sample, of 6,541 variants that there are. */
const COUNT = Number(process.env.LAYERPRUNE_CONFIG_VARIANTS ?? 300)
const SEED = 13
const TOLERANCE = 2e-6

interface Variant {
  fixture: string
  key: string
  value?: unknown
  texts: number[][]
  /** By block size and start; null if transformers does not load it. */
  distances: number[][] | null
}

/** The distances, or undefined if the config is refused. */
async function measure({ fixture, key, value, texts }: Variant): Promise<number[] | undefined> {
  const folder = fixtureFolder(fixture)
  const raw = readConfig(fixture)
  raw[key] = value
  try {
    const config = interpretConfig(raw, 'config.json')
    const decoder = buildDecoder(config, await openSafetensors(folder))
    return [...(await measureTexts({ decoder, config }, texts, fixture))]
  } catch (error) {
    if (error instanceof LayerpruneError) return undefined
    throw error
  }
}

describeWithPython('transformers', () => {
  it(`agrees on ${COUNT} configs with another value of one key, if they are not refused`, {
    timeout: 7_200_000,
  }, async () => {
    const { stdout } = await promisify(execFile)(
      python,
      [join(import.meta.dirname, 'vary_configs.py'), `${COUNT}`, `${SEED}`],
      { maxBuffer: 1e9 },
    )
    const outcomes = { compared: 0, refused: 0 }
    for (const line of stdout.trim().split('\n')) {
      const variant = JSON.parse(toStrictJson(line)) as Variant
      const { fixture, key, value, distances } = variant
      const found = await measure(variant)
      if (found === undefined) outcomes.refused++
      if (found === undefined || distances === null) continue
      outcomes.compared++
      expect(largestDifference(found, distances.flat()), `${fixture}: ${key} = ${JSON.stringify(value)}`).toBeLessThan(
        TOLERANCE,
      )
    }
    expect(outcomes.compared).toBeGreaterThan(COUNT / 4)
    expect(outcomes.refused).toBeGreaterThan(COUNT / 5)
  })
})
