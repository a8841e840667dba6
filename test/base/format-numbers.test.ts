import { expect, it } from 'vitest'
import { formatCount, formatDistance, formatEstimate, formatQuantity } from '../../src/base/format-numbers.js'

it('shows four decimals and never a positive distance as zero', () => {
  expect([0.187582, 0, 1, 0.00005, 0.00004].map(formatDistance)).toEqual([
    '0.1876',
    '0.0000',
    '1.0000',
    '0.0001',
    '<0.0001',
  ])
})

it('shows five digits of what is 10 or more', () => {
  expect([9.99994, 10, 88.74512, 12345.6, 123456].map(formatDistance)).toEqual([
    '9.9999',
    '10.000',
    '88.745',
    '12346',
    '1.235e+5',
  ])
})

it('adds the error if one is known', () => {
  expect(formatEstimate(0.187582, 0.00091)).toBe('0.1876 ± 0.0009')
  expect(formatEstimate(0.187582, null)).toBe('0.1876')
  expect(formatEstimate(88.74512, 1.01791)).toBe('88.745 ± 1.018')
  expect(formatEstimate(946.28, 16.9)).toBe('946.28 ± 16.90')
})

it('counts', () => {
  expect(formatCount(32768)).toBe('32,768')
  expect(formatQuantity(1, 'text')).toBe('1 text')
  expect(formatQuantity(4000, 'text')).toBe('4,000 texts')
  expect(formatQuantity(2, 'entry', 'entries')).toBe('2 entries')
})
