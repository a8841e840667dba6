import { Tensor } from 'onnxruntime-node'
import { expect, it } from 'vitest'
import type { State } from '../../../src/engine/sessions/decoder-pieces.js'
import { relativeError } from '../../../src/jobs/strategies/relative-error.js'

const TEXTS = [
  { ids: [1, 2], origin: '' },
  { ids: [3], origin: '' },
]
const DIMS = [2, 2, 2]

it('is the mean over tokens of squared error by squared size, without padding', () => {
  const state = (values: number[]) => new Tensor('float32', Float32Array.from(values), DIMS) as State
  const reference = state([3, 4, 0, 2, 1, 0, 7, 7])
  // 25 / 25, 1 / 4 and 4 / 1
  expect(relativeError(state([0, 0, 0, 3, 1, 2, 0, 0]), reference, TEXTS)).toBeCloseTo(5.25 / 3, 12)
})

it('reads states in float16', () => {
  const state = (bits: number[]) => new Tensor('float16', Uint16Array.from(bits), DIMS) as State
  const [one, two] = [0x3c00, 0x4000]
  const reference = state([one, 0, one, 0, two, 0, 0, 0])
  expect(relativeError(state([two, 0, one, 0, one, 0, 0, 0]), reference, TEXTS)).toBeCloseTo(1.25 / 3, 12)
})
