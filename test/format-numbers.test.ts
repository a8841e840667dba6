import { expect, it } from 'vitest'
import { formatCount, formatDistance, formatEstimate, formatQuantity } from '../src/format-numbers.js'

it('shows four decimals and never a positive distance as zero', () => {
  expect([0.187582, 0, 1, 0.00005, 0.00004].map(formatDistance)).toEqual([
    '0.1876',
    '0.0000',
    '1.0000',
    '0.0001',
    '<0.0001',
  ])
})

it('adds the error where one is known', () => {
  expect(formatEstimate(0.187582, 0.00091)).toBe('0.1876 ± 0.0009')
  expect(formatEstimate(0.187582, null)).toBe('0.1876')
})

it('counts', () => {
  expect(formatCount(32768)).toBe('32,768')
  expect(formatQuantity(1, 'text')).toBe('1 text')
  expect(formatQuantity(4000, 'text')).toBe('4,000 texts')
  expect(formatQuantity(2, 'entry', 'entries')).toBe('2 entries')
})
