import { expect, it } from 'vitest'
import { recordRun } from '../../../src/cli/commands/run/record-run.js'

it('saves no signature of an address, and what says which texts are read', () => {
  const dataset = ['https://me:secret@host/a.parquet?sig=abc:0.5', 'b c.jsonl:0.5', 'org/name']
  const { options } = recordRun('plan', { dataset, output: 'plan.json', threads: 2, datasetSize: 4 })
  expect(options).toEqual({ dataset: ['https://host/a.parquet:0.5', 'b c.jsonl:0.5', 'org/name'], datasetSize: 4 })
})
