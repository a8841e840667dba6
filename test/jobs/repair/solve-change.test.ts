import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openModel } from '../../../src/engine/model.js'
import { openDecoderPieces } from '../../../src/engine/sessions/decoder-pieces.js'
import { factorize } from '../../../src/jobs/repair/cholesky.js'
import { findClosingProduct } from '../../../src/jobs/repair/closing-product.js'
import { openLayerFit } from '../../../src/jobs/repair/layer-fit.js'
import { makeReplacements } from '../../../src/jobs/repair/make-replacements.js'
import { type Moments, makeMoments, sumSquaresAfter } from '../../../src/jobs/repair/moments.js'
import { STRENGTHS } from '../../../src/jobs/repair/ridges.js'
import { chooseRidge, solveRidge } from '../../../src/jobs/repair/solve-change.js'
import { SymmetricMatrix } from '../../../src/jobs/repair/symmetric-matrix.js'
import { openTileProducts } from '../../../src/jobs/repair/tile-products.js'
import { DataType } from '../../../src/model/graph/onnx/onnx.js'
import { replaceWeights } from '../../../src/model/graph/replace-weights.js'
import { fixtureFolder } from '../../support/fixture-model.js'
import { FIXTURES } from '../../support/paths.js'

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
  const batches = [texts.slice(0, 4), texts.slice(4)].map((batch) => batch.map((ids) => ({ ids, origin: name })))
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
  const expected = await sumSquaresAfter(products, moments, change)
  const values = Float32Array.from(change)
  const changed = replaceWeights(decoder, await makeReplacements(decoder, [{ product, values }]))
  const again = await openLayerFit(changed, config, { products: [product] }, { device: 'cpu' })
  const left = makeMoments(fit.groups, product.outputs)
  for (const batch of batches) {
    const state = await pieces.embed(batch)
    await again.addMoments({ texts: batch, state, target: await pieces.run(0, state, batch) }, left)
  }
  await Promise.all([pieces.close(), fit.close(), again.close(), products.close()])

  // what the moments say that the change leaves is what it leaves
  const isExact = product.weight.dataType === DataType.FLOAT
  expect(Math.abs(left.squares / expected - 1)).toBeLessThan(isExact ? 1e-4 : 0.05)

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
    return Array.from({ length: end * width }, (_, at) => value(Math.floor(at / width), bounds[index]! + (at % width)))
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
    'the texts are too few, or too much alike, to fit the repair on: its equations have no single solution',
  )
  await products.close()
})

/** Rows of features and of what they are to explain, drawn by chance, with the moments of all of them. */
function drawRegression(seed: number) {
  let state = seed
  const draw = () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647 - 0.5
  }
  const rows = Array.from({ length: 30 }, () => {
    const x = Array.from({ length: 6 }, draw)
    return { x, y: [x[0]! + x[3]! + draw(), x[5]! - x[1]! + draw()] }
  })
  const moments = makeMoments([2, 4], 2)
  for (const [index, panel] of moments.features.panels.entries()) {
    const first = moments.features.bounds[index]!
    for (let at = 0; at < panel.data.length; at++) {
      const [i, j] = [Math.floor(at / panel.columns), first + (at % panel.columns)]
      panel.data[at] = rows.reduce((sum, { x }) => sum + x[i]! * x[j]!, 0)
    }
  }
  for (let at = 0; at < moments.residual.length; at++) {
    moments.residual[at] = rows.reduce((sum, { x, y }) => sum + x[at >> 1]! * y[at % 2]!, 0)
  }
  moments.squares = rows.reduce((sum, { y }) => sum + y[0]! ** 2 + y[1]! ** 2, 0)
  return { rows, moments }
}

/** Solves equations by Gauss's elimination without exchange of rows: [size][columns]. */
function eliminate(matrix: number[][], rightSides: number[][]): number[][] {
  const rows = matrix.map((row, index) => [...row, ...rightSides[index]!])
  for (const [k, pivot] of rows.entries()) {
    for (const [i, row] of rows.entries()) {
      const factor = row[k]! / pivot[k]!
      if (i !== k) for (let j = k; j < row.length; j++) row[j]! -= factor * pivot[j]!
    }
  }
  return rows.map((row, k) => row.slice(matrix.length).map((value) => value / row[k]!))
}

it('chooses the ridge that leaves least on other rows, as solving for each and trying it does', async () => {
  const fitted = drawRegression(1)
  const heldOut = drawRegression(2)
  const products = await openTileProducts()
  const left: number[] = []
  for (const strength of STRENGTHS) {
    const change = await solveRidge(products, fitted.moments, strength)
    const square = (i: number, j: number) => fitted.rows.reduce((sum, { x }) => sum + x[i]! * x[j]!, 0)
    const places = [0, 1, 2, 3, 4, 5]
    const meanOf = (own: number[]) => own.reduce((sum, i) => sum + square(i, i), 0) / own.length
    const ridges = [meanOf(places.slice(0, 2)), meanOf(places.slice(2))]
    const matrix = places.map((i) =>
      places.map((j) => square(i, j) + (i === j ? strength * ridges[i < 2 ? 0 : 1]! : 0)),
    )
    const rightSides = places.map((i) =>
      [0, 1].map((column) => fitted.rows.reduce((sum, { x, y }) => sum + x[i]! * y[column]!, 0)),
    )
    const direct = eliminate(matrix, rightSides)
    const difference = Math.max(...direct.flat().map((value, at) => Math.abs(value - change[at]!)))
    expect(difference).toBeLessThan(1e-10)
    const tried = heldOut.rows.reduce(
      (sum, { x, y }) =>
        sum +
        y.reduce((part, value, column) => {
          const said = x.reduce((total, feature, i) => total + feature * direct[i]![column]!, 0)
          return part + (value - said) ** 2
        }, 0),
      0,
    )
    expect(await sumSquaresAfter(products, heldOut.moments, change)).toBeCloseTo(tried, 9)
    left.push(tried)
  }
  const moments = { fitted: fitted.moments, heldOut: heldOut.moments }
  const { ridge, heldOutSquares } = await chooseRidge(moments, { products })
  await products.close()
  expect(heldOutSquares).toBeCloseTo(Math.min(...left), 9)
  expect(ridge).toBe(STRENGTHS[left.indexOf(Math.min(...left))])
})

it('chooses the ridge of many outputs by a sketch of them, and says what it leaves of them all', async () => {
  const hidden = 1100
  const [fitted, heldOut] = [drawRegression(1), drawRegression(2)].map(({ moments }) => {
    const wide = makeMoments(moments.groups, hidden)
    wide.features.add(moments.features.panels.map(({ data }) => data))
    // outputs of all shades between two
    const shade = (at: number) => Math.sin(at % hidden)
    wide.residual.forEach((_, at) => {
      const row = 2 * Math.floor(at / hidden)
      wide.residual[at] = moments.residual[row]! + shade(at) * moments.residual[row + 1]!
    })
    wide.squares = 1e4
    return wide
  }) as [Moments, Moments]
  const products = await openTileProducts()
  const left: number[] = []
  for (const strength of STRENGTHS) {
    left.push(await sumSquaresAfter(products, heldOut, await solveRidge(products, fitted, strength)))
  }
  const { ridge, heldOutSquares } = await chooseRidge({ fitted, heldOut }, { products })
  await products.close()
  expect(ridge).toBe(STRENGTHS[left.indexOf(Math.min(...left))])
  expect(heldOutSquares).toBeCloseTo(Math.min(...left), 6)
})
