import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type RepairModelOptions, type RepairState, repairModel } from '../../../src/index.js'
import { encodeRepairState, readRepairState } from '../../../src/jobs/repair/repair-state.js'
import { ONE_THREAD } from '../../support/fixture-model.js'
import { EXAMPLES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const OPTIONS: RepairModelOptions = {
  ...{ ...ONE_THREAD, model: join(EXAMPLES, 'model'), dataset: join(EXAMPLES, 'texts.jsonl') },
  ...{ removed: [{ start: 4, end: 6 }], datasetSize: 12, evaluateSize: 4, batchSize: 4, maxLength: 24 },
}

it('a stopped repair goes on after the layers that it has fitted, to the same weights', async () => {
  const path = join(makeTempFolder(), 'state')
  const layers: string[][] = []
  const list = ({ fits }: RepairState) => void layers.push(Object.keys(fits))
  const whole = await repairModel({ ...OPTIONS, onSaved: list })
  expect(layers.length).toBeGreaterThan(1)
  const stop = new AbortController()
  const stopped = repairModel({
    ...OPTIONS,
    signal: stop.signal,
    onSaved: (state) => {
      writeFileSync(path, encodeRepairState(state))
      stop.abort()
    },
  })
  await expect(stopped).rejects.toThrow('interrupted before the repair was complete')
  const resumeFrom = await readRepairState(path)
  expect(Object.keys(resumeFrom.fits)).toEqual(layers[0])
  const again = layers.splice(0)
  const resumed = await repairModel({ ...OPTIONS, resumeFrom, onSaved: list })
  expect(layers).toEqual(again.slice(1))
  expect(resumed.report).toEqual(whole.report)
  expect(resumed.replacements).toEqual(whole.replacements)
  await expect(repairModel({ ...OPTIONS, maxLength: 23, resumeFrom })).rejects.toThrow('`maxLength` was 24 and is 23')
})
