import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openDecoderPieces } from '../../src/engine/decoder-pieces.js'
import { openModel } from '../../src/model.js'
import { factorize } from '../../src/repair/cholesky.js'
import { findClosingProduct } from '../../src/repair/closing-product.js'
import { openLayerFit } from '../../src/repair/layer-fit.js'
import { makeMoments } from '../../src/repair/moments.js'
import { solveRidge } from '../../src/repair/solve-change.js'
import { SymmetricMatrix } from '../../src/repair/symmetric-matrix.js'
import { openTileProducts } from '../../src/repair/tile-products.js'
import { fixtureFolder } from '../support/fixture-model.js'
import { FIXTURES } from '../support/paths.js'

function readJson(path: string) {
  return JSON.parse(readFileSync(path, 'utf8'))
}

const REFERENCE: Record<string, { change: { first: number[]; last: number[]; squares: number } }> = readJson(
  join(FIXTURES, 'repair.json'),
)

it.each(Object.keys(REFERENCE))('finds the change that PyTorch and NumPy find: %s', async (name) => {
  const folder = fixtureFolder(name)
  const { decoder, config } = await openModel({ model: folder })
  const { texts }: { texts: number[][] } = readJson(`${folder}/reference.json`)
  const batches = [texts.slice(0, 4), texts.slice(4)].map((batch) =>
    batch.map((ids) => ({ ids, origin: name })),
  )
  const product = findClosingProduct(decoder, 0)
  const pieces = await openDecoderPieces(decoder, config, [0, config.layers], { device: 'cpu' })
  const fit = await openLayerFit(decoder, config, { products: [product] }, { device: 'cpu' })
  const products = await openTileProducts()
  const moments = makeMoments(fit.groups, product.outputs)
  for (const batch of batches) {
    const state = await pieces.embed(batch)
    await fit.addMoments({ texts: batch, state, target: await pieces.run(0, state, batch) }, moments)
  }
  const change = await solveRidge(products, moments, 0.1)
  await Promise.all([pieces.close(), fit.close(), products.close()])

  const { first, last, squares } = REFERENCE[name]!.change
  const scale = Math.sqrt(squares / change.length)
  const rows = [change.slice(0, product.outputs), change.slice(-product.outputs)]
  const differences = [first, last].flatMap((row, index) => row.map((value, i) => value - rows[index]![i]!))
  expect(Math.max(...differences.map(Math.abs)) / scale).toBeLessThan(1e-3)
  expect(change.reduce((sum, value) => sum + value ** 2, 0) / squares).toBeCloseTo(1, 4)
})

/** The panels of a symmetric matrix. */
function panelsOf({ bounds }: SymmetricMatrix, value: (row: number, column: number) => number): number[][] {
  return bounds.slice(1).map((end, index) => {
    const width = end - bounds[index]!
    return Array.from({ length: end * width }, (_, at) =>
      value(Math.floor(at / width), bounds[index]! + (at % width)),
    )
  })
}

it('solves equations of more than one panel, and refuses those that have no solution', async () => {
  const groups = [70, 300]
  const size = 370
  const columns = 3
  const value = (i: number, j: number) =>
    i === j ? 10 : Math.cos(Math.max(i, j) * Math.min(i, j)) / (1 + Math.abs(i - j))
  const data = Float64Array.from({ length: size * columns }, (_, index) => Math.sin(index))
  const matrix = new SymmetricMatrix(groups)
  expect(matrix.bounds).toEqual([0, 70, 198, 326, 370])
  matrix.add(panelsOf(matrix, value))
  const last = matrix.trailing(70).withDiagonal(new Float64Array(300))
  const products = await openTileProducts()
  const residualOf = async (part: SymmetricMatrix, start: number) => {
    const b = { rows: part.size, columns, data: data.subarray(0, part.size * columns) }
    const x = await (await factorize(products, part)).solve(b)
    let largest = 0
    for (let i = 0; i < part.size; i++) {
      for (let column = 0; column < columns; column++) {
        let sum = 0
        for (let j = 0; j < part.size; j++) {
          sum += value(start + i, start + j) * x.data[j * columns + column]!
        }
        largest = Math.max(largest, Math.abs(sum - data[i * columns + column]!))
      }
    }
    return largest
  }
  expect(await residualOf(matrix, 0)).toBeLessThan(1e-12)
  expect(await residualOf(last, 70)).toBeLessThan(1e-12)

  const singular = new SymmetricMatrix([2])
  singular.add([[1, 1, 1, 1]])
  await expect(factorize(products, singular)).rejects.toThrow(
    'the equations of the repair cannot be solved: pivot 1 is 0, expected above 0',
  )
  await products.close()
})
