import { expect, it } from 'vitest'
import { paint, wantsColor } from '../../../src/cli/terminal/color.js'

const terminal = { isTTY: true }
const pipe = {}

it.each([
  [terminal, {}, true],
  [pipe, {}, false],
  [terminal, { NO_COLOR: '1' }, false],
  [terminal, { NO_COLOR: '' }, true],
  [terminal, { TERM: 'dumb' }, false],
  [pipe, { FORCE_COLOR: '1' }, true],
  [pipe, { FORCE_COLOR: '' }, true],
  [terminal, { FORCE_COLOR: '0' }, false],
  [terminal, { FORCE_COLOR: 'false' }, false],
  [pipe, { FORCE_COLOR: '1', NO_COLOR: '1' }, true],
])('for %j with %j colour is %s', (stream, env, expected) => {
  expect(wantsColor(stream, env)).toBe(expected)
})

it('paints only if colour is wanted', () => {
  expect(paint('green', 'best', true)).toBe('\u001b[32mbest\u001b[39m')
  expect(paint('green', 'best', false)).toBe('best')
})
