import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openDecoderPieces } from '../../src/engine/decoder-pieces.js'
import { openModel } from '../../src/model.js'
import { solvePositiveDefinite } from '../../src/repair/cholesky.js'
import { findClosingProduct } from '../../src/repair/closing-product.js'
import { makeMoments, openLayerFit } from '../../src/repair/layer-fit.js'
import { solveRidge } from '../../src/repair/solve-change.js'
import { openTileProducts } from '../../src/repair/tile-products.js'
import { SymmetricMatrix } from '../../src/repair/tiled-matrix.js'
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
  const fit = await openLayerFit(decoder, config, [product], { device: 'cpu' })
  const products = await openTileProducts()
  const moments = makeMoments(fit.groups, product.outputs)
  for (const batch of batches) {
    const state = await pieces.embed(batch)
    await fit.addMoments({ texts: batch, state, target: await pieces.run(0, state, batch) }, moments)
  }
  const change = await solveRidge(products, moments, product.outputs, 0.1)
  await Promise.all([pieces.close(), fit.close(), products.close()])

  const { first, last, squares } = REFERENCE[name]!.change
  const scale = Math.sqrt(squares / change.length)
  const rows = [change.slice(0, product.outputs), change.slice(-product.outputs)]
  const differences = [first, last].flatMap((row, index) => row.map((value, i) => value - rows[index]![i]!))
  expect(Math.max(...differences.map(Math.abs)) / scale).toBeLessThan(1e-3)
  expect(change.reduce((sum, value) => sum + value ** 2, 0) / squares).toBeCloseTo(1, 4)
})

it('solves equations of more than one tile, and refuses those that have no solution', async () => {
  const size = 300
  const columns = 3
  const values = new Float32Array(size * size)
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) values[i * size + j] = Math.cos(i * j) / (1 + Math.abs(i - j))
    values[i * size + i] = 10
  }
  for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) values[j * size + i] = values[i * size + j]!
  const data = Float64Array.from({ length: size * columns }, (_, index) => Math.sin(index))
  const matrix = new SymmetricMatrix(size)
  matrix.add(values)
  const products = await openTileProducts()
  const x = await solvePositiveDefinite(products, matrix, { columns, data })
  let largest = 0
  for (let i = 0; i < size; i++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0
      for (let j = 0; j < size; j++) sum += values[i * size + j]! * x[j * columns + column]!
      largest = Math.max(largest, Math.abs(sum - data[i * columns + column]!))
    }
  }
  expect(largest).toBeLessThan(1e-12)

  const singular = new SymmetricMatrix(2)
  singular.add(Float32Array.of(1, 1, 1, 1))
  await expect(
    solvePositiveDefinite(products, singular, { columns: 1, data: Float64Array.of(1, 2) }),
  ).rejects.toThrow('the equations of the repair cannot be solved: pivot 1 is 0, expected above 0')
  await products.close()
})
