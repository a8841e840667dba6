import { describe, expect, it } from 'vitest'
import { Rotation } from '../../../src/engine/int8/rotation.js'

describe('the rotation', () => {
  it.each([1, 2, 9, 24, 64, 576])('is orthogonal and full of numbers far from one: %i channels', (size) => {
    const matrix = new Rotation(size).matrix()
    for (let a = 0; a < size; a += Math.ceil(size / 7)) {
      for (let b = 0; b < size; b++) {
        let product = 0
        for (let k = 0; k < size; k++) product += matrix[a * size + k]! * matrix[b * size + k]!
        expect(product).toBeCloseTo(a === b ? 1 : 0, 5)
      }
    }
    const largest = matrix.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    expect(largest * Math.sqrt(size)).toBeLessThan(1.5)
  })

  it('rotates columns as it rotates rows', () => {
    const [size, count] = [24, 37]
    const rotation = new Rotation(size)
    const rows = Float32Array.from({ length: size * count }, (_, index) => Math.sin(index))
    const columns = new Float32Array(rows.length)
    rows.forEach((value, index) => {
      columns[(index % size) * count + Math.floor(index / size)] = value
    })
    rotation.rotateRows(rows)
    rotation.rotateColumns(columns, count)
    rows.forEach((value, index) => {
      expect(columns[(index % size) * count + Math.floor(index / size)]).toBe(value)
    })
  })
})
