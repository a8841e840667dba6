import { expect, it } from 'vitest'
import { openModel } from '../../../src/engine/model.js'
import { chooseRunSettings } from '../../../src/jobs/run/run-options.js'
import { fixtureFolder } from '../../support/fixture-model.js'

const SEEN = 64

it('texts of which sparse attention would not see all are refused, and cut if no length is asked for', async () => {
  const model = await openModel({ model: fixtureFolder('deepseek-v32') })
  expect(() => chooseRunSettings({ maxLength: SEEN + 1 }, model)).toThrow(
    'max length 65 exceeds the 64 tokens up to which the sparse attention of deepseek_v32 sees all (index_topk)',
  )
  expect(chooseRunSettings({ maxLength: SEEN }, model).maxLength).toBe(SEEN)
  const notes: string[] = []
  expect(chooseRunSettings({}, model, (note) => notes.push(note)).maxLength).toBe(SEEN)
  expect(notes).toEqual(['texts are cut at 64 tokens, up to which sparse attention sees all'])
})

it.each([
  [undefined, 128, ['texts are cut at 128 tokens, the positions of the model']],
  [4096, 128, ['texts are cut at 128 tokens, the positions of the model, not at the 4096 of `maxLength`']],
  [128, 128, []],
])('a length of %s on a model of 128 positions is %s', async (asked, expected, expectedNotes) => {
  const notes: string[] = []
  const model = await openModel({ model: fixtureFolder('llama') })
  const { maxLength } = chooseRunSettings({ maxLength: asked }, model, (note) => notes.push(note))
  expect(maxLength).toBe(expected)
  expect(notes).toEqual(expectedNotes)
})
