import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { findUnproven } from '../../../src/jobs/prune/proven-families.js'
import { isKnownDecoder } from '../../../src/model/builder/build-decoder.js'
import { findRefusal } from '../../../src/model/families/refused-families.js'
import { FAMILIES } from '../../../src/model/families/table.js'
import { unknownFamily } from '../../../src/model/families/unknown-family.js'
import { FIXTURES } from '../../support/paths.js'

const { types }: { types: string[] } = JSON.parse(readFileSync(join(FIXTURES, 'causal-types.json'), 'utf8'))

const isRead = (type: string) =>
  isKnownDecoder({ family: type, wrapper: null }) || isKnownDecoder({ family: 'llama', wrapper: type })

it('every decoder that transformers 5.24 knows is read, or refused by name with a reason', () => {
  expect(types.length).toBeGreaterThan(180)
  const neither = types.filter((type) => !isRead(type) && findRefusal(type) === undefined)
  // a reason that the table of wrappers has
  expect(neither).toEqual(['gemma3n', 'mllama'])
})

it('nothing is refused that is read', () => {
  expect(Object.keys(FAMILIES).filter((family) => findRefusal(family) !== undefined)).toEqual([])
})

const refused = types.filter((type) => findRefusal(type) !== undefined)

it.each(refused)('%s is refused with a reason and a hint', (type) => {
  const { reason, hint } = findRefusal(type)!
  const error = unknownFamily({ model_type: type })
  expect(error.message).toBe(`config.json has the model_type "${type}", which is not supported: ${reason}`)
  expect(error.hint).toBe(hint)
})

it('the hint is to prune if cuts of the family were compared', () => {
  const layers = { layer_types: [], mlp_layer_types: [] }
  const canBeCut = (type: string) => findUnproven({ model_type: type, ...layers }, false) === undefined
  const advised = refused.filter((type) => findRefusal(type)!.hint.startsWith('prune'))
  const limited = ['zamba', 'zaya']
  expect(advised).toEqual(refused.filter((type) => canBeCut(type) && !limited.includes(type)))
})
