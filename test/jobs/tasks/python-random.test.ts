import { describe, expect, it } from 'vitest'
import { PythonRandom } from '../../../src/jobs/tasks/python-random.js'

const range = (count: number) => Array.from({ length: count }, (_, index) => index)

/** What Python 3.11 prints for `r = random.Random(seed); [r.sample(range(size), count) for _ in range(3)]`. */
const SAMPLES = [
  {
    seed: 1234,
    size: 10,
    count: 5,
    drawn: [
      [7, 1, 0, 9, 4],
      [0, 1, 8, 6, 2],
      [3, 0, 8, 6, 7],
    ],
  },
  {
    seed: 1234,
    size: 21,
    count: 5,
    drawn: [
      [14, 3, 0, 2, 1],
      [2, 3, 11, 7, 0],
      [0, 20, 11, 15, 14],
    ],
  },
  {
    seed: 1234,
    size: 22,
    count: 5,
    drawn: [
      [14, 3, 0, 2, 18],
      [1, 21, 2, 3, 11],
      [7, 0, 11, 20, 19],
    ],
  },
  {
    seed: 1234,
    size: 2251,
    count: 5,
    drawn: [
      [1805, 478, 30, 371, 143],
      [343, 403, 1452, 969, 71],
      [126, 64, 1417, 1983, 1898],
    ],
  },
  {
    seed: 0,
    size: 100,
    count: 6,
    drawn: [
      [49, 97, 53, 5, 33, 65],
      [62, 51, 38, 61, 45, 74],
      [27, 64, 17, 36, 96, 12],
    ],
  },
  {
    seed: 4294967295,
    size: 85,
    count: 6,
    drawn: [
      [81, 79, 26, 27, 77, 66],
      [37, 77, 43, 48, 35, 45],
      [63, 52, 8, 27, 78, 17],
    ],
  },
  {
    seed: 42,
    size: 86,
    count: 6,
    drawn: [
      [81, 14, 3, 35, 31, 28],
      [17, 13, 69, 11, 75, 54],
      [4, 3, 11, 27, 29, 64],
    ],
  },
  {
    seed: 7,
    size: 300,
    count: 25,
    drawn: [
      [
        165, 77, 202, 24, 37, 274, 48, 187, 298, 29, 259, 109, 19, 44, 222, 214, 35, 123, 46, 282, 217, 30, 289, 63,
        114,
      ],
      [
        298, 31, 295, 299, 203, 25, 113, 23, 285, 68, 148, 214, 73, 276, 60, 292, 157, 286, 92, 52, 297, 96, 190, 49,
        280,
      ],
      [
        32, 288, 30, 105, 254, 272, 218, 160, 238, 299, 232, 185, 153, 127, 92, 124, 41, 294, 268, 253, 175, 229, 147,
        37, 60,
      ],
    ],
  },
  { seed: 1, size: 1, count: 1, drawn: [[0], [0], [0]] },
  {
    seed: 1234,
    size: 40000,
    count: 10,
    drawn: [
      [28883, 7657, 490, 5940, 38156, 2288, 5500, 6450, 23241, 15519],
      [1142, 2019, 1038, 22681, 31735, 30379, 9735, 5982, 11999, 7498],
      [958, 32970, 31899, 16372, 4231, 35460, 30533, 4493, 39417, 5828],
    ],
  },
]

/** The last three of 2,000 `randrange(1000)` of seed 1234. */
const LAST = [492, 652, 895]

describe('Python’s random.Random', () => {
  it.each(SAMPLES)('seed $seed draws $count of $size as random.sample does', ({ seed, size, count, drawn }) => {
    const random = new PythonRandom(seed)
    expect(drawn.map(() => random.sample(range(size), count))).toEqual(drawn)
  })

  it('goes through its whole state and more', () => {
    const random = new PythonRandom(1234)
    expect(
      range(2000)
        .map(() => random.below(1000))
        .slice(-3),
    ).toEqual(LAST)
  })

  it('refuses to draw more than there are', () => {
    expect(() => new PythonRandom(1).sample([1, 2], 3)).toThrow('cannot draw 3 of 2 items')
  })
})
