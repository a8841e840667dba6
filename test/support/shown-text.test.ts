import { expect, it } from 'vitest'
import { expectSameBesidesRounding } from './shown-text.js'

const compare = (found: string, expected: string) => () => expectSameBesidesRounding(found, expected)

it.each([
  ['0.1062 ± 0.0004', '0.1062 ± 0.0004'],
  ['0.1063 ± 0.0003', '0.1062 ± 0.0004'],
  ['99.9% after 200 texts', '99.9% after 200 texts'],
  ['M12,45.6', 'M12.1,45.5'],
])('%s may be %s on another processor', (found, expected) => {
  expect(compare(found, expected)).not.toThrow()
})

it.each([
  ['0.1165 ± 0.0113', '0.1062 ± 0.0004'],
  ['0.1064 ± 0.0004', '0.1062 ± 0.0004'],
  ['0.1062 after 201 texts', '0.1062 after 200 texts'],
  ['M12,45.6', 'M12.2,45.6'],
  ['layers 4..7', 'layers 4..8'],
  ['best: 0.1', 'last: 0.1'],
])('%s may not be %s', (found, expected) => {
  expect(compare(found, expected)).toThrow()
})
