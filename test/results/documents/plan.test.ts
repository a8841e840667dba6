import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makePlan } from '../../../src/results/documents/plan.js'
import { readPlan } from '../../../src/results/documents/read-saved.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const plan = makePlan({
  model: { id: 'org/model', layers: 12, family: 'llama' },
  strategy: 'block-influence',
  removed: [
    { start: 9, end: 11 },
    { start: 3, end: 4 },
    { start: 4, end: 5 },
  ],
  scores: { influence: [0.1, 0.2] },
  dataset: { id: 'texts.jsonl', samples: 3 },
})

function save(content: string): string {
  const folder = makeTempFolder()
  writeFileSync(join(folder, 'plan.json'), content)
  return join(folder, 'plan.json')
}

describe('a plan', () => {
  it('has its blocks sorted and joined, and comes back from its file', async () => {
    expect(plan.removed).toEqual([
      { start: 3, end: 5 },
      { start: 9, end: 11 },
    ])
    expect(plan.layersToSkip).toBe(4)
    expect(await readPlan(save(JSON.stringify(plan)))).toEqual(plan)
  })

  it.each<[object, string]>([
    [{ schema: 'layerprune.plan/2' }, 'schema is "layerprune.plan/2"'],
    [{ model: { id: 'org/model' } }, "/model must have required property 'layers'"],
    [{ model: { id: 'org/model', layers: 12, family: 3 } }, '/model/family must be string, found 3'],
    [{ strategy: undefined }, "the document must have required property 'strategy'"],
    [{ removed: [[3, 5]] }, '/removed/0 must be object'],
    [{ removed: [] }, '/removed must have at least 1 item'],
    [{ removed: [{ start: 3, end: 13 }] }, 'layers 3..12 cannot be removed from it'],
    [{ removed: [{ start: 3, end: 4.5 }] }, '/removed/0/end must be integer, found 4.5'],
    [{ removed: [{ start: 0, end: 12 }], layersToSkip: 12 }, 'no layer would be kept'],
    [{ layersToSkip: 3 }, 'layersToSkip is 3, but 4 layers are removed'],
    [{ scores: [] }, '/scores must be object'],
    [{ dataset: 'texts' }, '/dataset must be object, found "texts"'],
  ])('with %j is refused', async (changes, message) => {
    await expect(readPlan(save(JSON.stringify({ ...plan, ...changes })))).rejects.toMatchObject({
      name: 'LayerpruneError',
      exitCode: 1,
      message: expect.stringContaining(message),
    })
  })

  it('that is missing or no JSON is refused', async () => {
    await expect(readPlan('no/plan.json')).rejects.toThrow(/no\/plan\.json cannot be read/)
    await expect(readPlan(save('{'))).rejects.toThrow(/is not a plan: not valid JSON/)
    await expect(readPlan(save('[]'))).rejects.toThrow(/expected a JSON object/)
  })
})
