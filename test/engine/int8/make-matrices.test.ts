import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { expect, it } from 'vitest'
import { makeMatrices } from '../../../src/engine/int8/make-matrices.js'
import { makeMatrix, type PlannedMatrix } from '../../../src/engine/int8/make-matrix.js'
import { readExpression } from '../../../src/engine/sessions/read-floats.js'
import type { WeightExpression } from '../../../src/files/checkpoint/weight-expression.js'
import { makeTempFolder } from '../../support/temp-folder.js'

/** So many numbers that they are rounded in threads. */
const SIZE = 768

function planTwo(): PlannedMatrix[] {
  const file = join(makeTempFolder(), 'codes')
  writeFileSync(
    file,
    Uint8Array.from({ length: 2 * SIZE ** 2 }, (_, index) => (index * 31 + (index >> 9)) % 251),
  )
  return [0, 1].map((index): PlannedMatrix => {
    const part = {
      name: `codes ${index}`,
      dtype: 'I8' as const,
      shape: [SIZE, SIZE],
      file,
      offsetBytes: index * SIZE ** 2,
      sizeBytes: SIZE ** 2,
    }
    const expression: WeightExpression = { kind: 'stored', shape: part.shape, part }
    return {
      name: `matrix ${index}`,
      numbers: { expression },
      inputs: SIZE,
      outputs: SIZE,
      byOutput: true,
      part: null,
      smoothing: null,
      block: 16,
      outputBlock: 32,
      keepsResiduals: true,
    }
  })
}

it('threads that are at work when the caller stops are ended, and nothing else happens', async () => {
  const made = makeMatrices(planTwo())
  await made.next()
  // an unhandled rejection would fail the test run
  await made.return(undefined)
})

it('threads round packed weights, which are decoded for them', async () => {
  const plans = planTwo()
  const made = new Map<string, unknown>()
  for await (const { matrix, made: rounded } of makeMatrices(plans)) made.set(matrix.name, rounded)
  for (const plan of plans) {
    const expected = await makeMatrix(plan, readExpression)
    // toEqual takes seconds for so many numbers
    expect(isDeepStrictEqual(made.get(plan.name), expected), plan.name).toBe(true)
  }
})
