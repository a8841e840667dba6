import { expect, it } from 'vitest'
import { upperTail } from '../../../src/base/statistics/student-t.js'

// P(T >= t), by mpmath's incomplete beta function with 25 digits
it.each([
  [0, 5, 0.5],
  [1, 1, 0.25],
  [2, 3, 0.06966298427942159],
  [2.5, 12, 0.01395769978566263],
  [4, 30, 0.0001909228180418784],
  [6, 63, 5.30746402764928e-8],
  [3, 2250, 0.001364713857438448],
  [10, 1e5, 7.816507650103639e-24],
  [0.01, 7, 0.4961501588218109],
  [-1, 4, 0.8130495168499706],
  [30, 2, 0.0005546313409795198],
])('knows the tail beyond %d with %d degrees of freedom', (t, degrees, expected) => {
  expect(upperTail(t, degrees) / expected).toBeCloseTo(1, 10)
})

it('is zero beyond infinity', () => expect(upperTail(Number.POSITIVE_INFINITY, 9)).toBe(0))
