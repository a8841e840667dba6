import { expect, it } from 'vitest'
import { formatEdited } from '../../../src/jobs/write-model/json-text.js'

it('an edited config keeps its numbers as they are written', () => {
  const text = `{
    "scale": 2.0, "eps": 1e-06, "big": 1.0E+20, "n": 30, "text": "a 2.0 \\"3.0\\" b", "old": 5.0,
    "rope": { "scale": 3.0, "factors": [1.0, 1.05, 2] }, "layers": [0.0, 1.0, 0.50, 7]
  }`
  const value = { ...JSON.parse(text), n: 22, old: 6, layers: [1, 0.5, 7] }
  const edited = formatEdited(value, text)
  expect(JSON.parse(edited)).toEqual(value)
  expect(edited.replaceAll(/\s+/g, ' ')).toBe(
    '{ "scale": 2.0, "eps": 1e-06, "big": 1.0E+20, "n": 22, "text": "a 2.0 \\"3.0\\" b", "old": 6.0, "rope": { "scale": 3.0, "factors": [ 1.0, 1.05, 2 ] }, "layers": [ 1.0, 0.50, 7 ] } ',
  )
})

it('strings are unchanged, whatever they begin with', () => {
  const value = {
    '\u0000a': '\u000012',
    n1: 'n2.0',
    '"t"': ['\u0000', 't1', 'n', '', '"', '\\"3.0'],
    number: 1.5,
  }
  const text = '{"number": 1.50, "old": 1.0}'
  expect(JSON.parse(formatEdited(value, text))).toEqual(value)
  const original = JSON.stringify(value)
  expect(JSON.parse(formatEdited(value, original))).toEqual(value)
})

it('Infinity is written as the original writes it', () => {
  const numbers = '"a": [0.0, Infinity], "b": -Infinity, "c": "Infinity, \\"Infinity"'
  const value = {
    a: [0, { __float__: 'Infinity' }],
    b: { __float__: '-Infinity' },
    c: 'Infinity, "Infinity',
  }
  expect(formatEdited(value, `{${numbers}}`).replaceAll(/\s+/g, ' ')).toBe(
    `{ ${numbers.replace('[0.0, Infinity]', '[ 0.0, Infinity ]')} } `,
  )
  const text = formatEdited(value, '{"a": [0.0, {"__float__": "Infinity"}]}')
  expect(JSON.parse(text)).toEqual(value)
})
