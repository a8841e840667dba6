import { expect, it } from 'vitest'
import { displayWidth } from '../../../src/cli/terminal/display-width.js'

it.each([
  ['', 0],
  ['SmolLM2 ±', 9],
  ['模型', 4],
  ['ﾊﾝ', 2],
  ['ガ', 2],
  ['한국어', 6],
  ['e\u0301', 1],
  ['👩‍💻', 2],
  ['🇳🇿', 2],
  ['（全）', 6],
  ['a\u200bb', 2],
])('%j takes %i columns', (text, columns) => {
  expect(displayWidth(text)).toBe(columns)
})
