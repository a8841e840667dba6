import { LayerpruneError } from '../../base/errors.js'
import type { SymmetricMatrix } from './symmetric-matrix.js'
import type { Tile, TileProducts } from './tile-products.js'

/** A positive definite matrix that is ready to solve equations. */
export interface Factor {
  /** Solves matrix x = b for b [size, columns] row-major; x has the same shape. */
  solve(b: Tile): Promise<Tile>
}

/**
 * Cholesky's factorisation, tile by tile (Golub & Van Loan, Matrix Computations, 4.2.9); the products run in ONNX
 * Runtime, in float64.
 * @param matrix   positive definite; overwritten by U, the upper triangle of which UᵀU is the matrix
 * @param onShare  called now and then with the share of the work that is done
 * @throws LayerpruneError if the matrix is not positive definite
 */
export async function factorize(
  products: TileProducts,
  matrix: SymmetricMatrix,
  onShare?: (share: number) => void,
): Promise<Factor> {
  const { bounds, panels, size } = matrix
  /** Inverses of the diagonal tiles of Uᵀ. */
  const inverses: Tile[] = []
  for (const [i, panel] of panels.entries()) {
    for (let j = 0; j < i; j++) {
      const tile = rowsOf(panel, bounds[j]!, bounds[j + 1]!)
      const above = rowsOf(panels[j]!, 0, bounds[j]!)
      await eliminateAbove(products, inverses[j]!, above, rowsOf(panel, 0, bounds[j]!), tile)
    }
    const diagonal = rowsOf(panel, bounds[i]!, bounds[i + 1]!)
    const above = rowsOf(panel, 0, bounds[i]!)
    if (i > 0) await products.subtractLeftTransposed(above, above, diagonal)
    factorizeTile(diagonal)
    inverses.push(invertLower(transpose(diagonal)))
    onShare?.((bounds[i + 1]! / size) ** 3)
  }
  return { solve: (b) => solveTriangles(products, matrix, inverses, b) }
}

/** @param inverses  of the diagonal tiles of Uᵀ */
async function solveTriangles(
  products: TileProducts,
  { bounds, panels }: SymmetricMatrix,
  inverses: Tile[],
  b: Tile,
): Promise<Tile> {
  const solution: Tile = { ...b, data: b.data.slice() }
  const partOf = (i: number) => rowsOf(solution, bounds[i]!, bounds[i + 1]!)
  for (const [i, panel] of panels.entries()) {
    const above = rowsOf(panel, 0, bounds[i]!)
    await eliminateAbove(products, inverses[i]!, above, rowsOf(solution, 0, bounds[i]!), partOf(i))
  }
  for (let i = panels.length - 1; i >= 0; i--) {
    const part = partOf(i)
    await products.multiplyLeftTransposed(inverses[i]!, { ...part, data: part.data.slice() }, part)
    const above = rowsOf(panels[i]!, 0, bounds[i]!)
    if (i > 0) await products.subtract(above, part, rowsOf(solution, 0, bounds[i]!))
  }
  return solution
}

/** Makes a tile the inverse times what it is less the transpose of a times b; a and b may have no rows. */
async function eliminateAbove(products: TileProducts, inverse: Tile, a: Tile, b: Tile, tile: Tile): Promise<void> {
  if (a.rows === 0) await products.multiply(inverse, { ...tile, data: tile.data.slice() }, tile)
  else await products.eliminate(inverse, a, b, tile)
}

/** Rows of a tile, which share its numbers. */
function rowsOf({ columns, data }: Tile, start: number, end: number): Tile {
  return { rows: end - start, columns, data: data.subarray(start * columns, end * columns) }
}

/** Cholesky's factorisation of one tile into its upper triangle, in place; the part below becomes zero. */
function factorizeTile({ rows, data }: Tile): void {
  for (let k = 0; k < rows; k++) {
    const pivot = data[k * rows + k]!
    if (!(pivot > 0)) {
      throw new LayerpruneError(
        'the texts are too few, or too much alike, to fit the repair on: its equations have no single solution',
        { hint: 'give more or other texts with `dataset` and `datasetSize`' },
      )
    }
    const scale = 1 / Math.sqrt(pivot)
    for (let j = k; j < rows; j++) data[k * rows + j]! *= scale
    for (let i = k + 1; i < rows; i++) {
      const factor = data[k * rows + i]!
      for (let j = i; j < rows; j++) data[i * rows + j]! -= factor * data[k * rows + j]!
      data[i * rows + k] = 0
    }
  }
}

function invertLower({ rows, columns, data }: Tile): Tile {
  const inverse = new Float64Array(rows * rows)
  for (let i = 0; i < rows; i++) {
    const scale = 1 / data[i * rows + i]!
    for (let k = 0; k < i; k++) {
      const factor = data[i * rows + k]! * scale
      for (let j = 0; j <= k; j++) inverse[i * rows + j]! -= factor * inverse[k * rows + j]!
    }
    inverse[i * rows + i] = scale
  }
  return { rows, columns, data: inverse }
}

function transpose({ rows, columns, data }: Tile): Tile {
  const transposed = new Float64Array(data.length)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) transposed[j * rows + i] = data[i * columns + j]!
  return { rows: columns, columns: rows, data: transposed }
}
