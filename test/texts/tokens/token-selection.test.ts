import { expect, it } from 'vitest'
import { describeTokens, parseTokenSelection, selectTokens } from '../../../src/texts/tokens/token-selection.js'

it('selects positions from the end of a text, all of a short one', () => {
  expect(selectTokens(5, 'last')).toEqual([4])
  expect(selectTokens(5, 'tail:1')).toEqual([4])
  expect(selectTokens(5, 'tail:3')).toEqual([2, 3, 4])
  expect(selectTokens(2, 'tail:3')).toEqual([0, 1])
  expect(selectTokens(3, 'all')).toEqual([0, 1, 2])
})

it('says which tokens they are', () => {
  expect(['last', 'tail:1', 'tail:32', 'all'].map((name) => describeTokens(parseTokenSelection(name)))).toEqual([
    'last token',
    'last token',
    'last 32 tokens',
    'all tokens',
  ])
})

it.each(['', 'first', 'tail', 'tail:', 'tail:0', 'tail:-1', 'tail:1.5', 'tail:99999999999999999'])(
  'refuses %j',
  (text) => expect(() => parseTokenSelection(text)).toThrow(`found ${text}`),
)
