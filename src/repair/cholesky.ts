import { LayerpruneError } from '../errors.js'
import type { Tile, TileProducts } from './tile-products.js'
import type { SymmetricMatrix } from './tiled-matrix.js'

/**
 * Solves `matrix` x = b for several right-hand sides by Cholesky's factorisation, tile by tile (Golub & Van Loan,
 * Matrix Computations, 4.2.9); the products run in ONNX Runtime, in float64.
 * @param matrix    positive definite; overwritten by the tiles of the factor
 * @param rightSides [size, columns] row-major
 * @param onShare   called now and then with the share of the work that is done
 * @returns x, the same shape
 * @throws LayerpruneError if the matrix is not positive definite
 */
export async function solvePositiveDefinite(
  products: TileProducts,
  matrix: SymmetricMatrix,
  { columns, data }: { columns: number; data: Float64Array },
  onShare?: (share: number) => void,
): Promise<Float64Array> {
  const size = matrix.bounds.at(-1)!
  // operations: size^3 / 3 to factorise, 2 size^2 to solve for each column
  const ofFactor = size / (size + 6 * columns)
  const inverses = await factorize(products, matrix, (share) => onShare?.(share * ofFactor))
  const { bounds, tiles } = matrix
  const parts: Tile[] = tiles.map((_, i) => ({
    rows: bounds[i + 1]! - bounds[i]!,
    columns,
    data: data.slice(bounds[i]! * columns, bounds[i + 1]! * columns),
  }))
  for (let i = 0; i < parts.length; i++) {
    for (let k = 0; k < i; k++) parts[i] = await products.subtract(parts[i]!, tiles[i]![k]!, parts[k]!)
    parts[i] = await products.multiply(inverses[i]!, parts[i]!)
  }
  for (let i = parts.length - 1; i >= 0; i--) {
    for (let k = i + 1; k < parts.length; k++) {
      parts[i] = await products.subtractLeftTransposed(parts[i]!, tiles[k]![i]!, parts[k]!)
    }
    parts[i] = await products.multiply(transpose(inverses[i]!), parts[i]!)
  }
  const solution = new Float64Array(data.length)
  for (const [i, part] of parts.entries()) solution.set(part.data, bounds[i]! * columns)
  return solution
}

/**
 * Replaces a matrix by its lower triangular factor.
 * @returns the inverses of the factor's diagonal tiles
 */
async function factorize(
  products: TileProducts,
  { tiles, bounds }: SymmetricMatrix,
  onShare: (share: number) => void,
): Promise<Tile[]> {
  const inverses: Tile[] = []
  for (let j = 0; j < tiles.length; j++) {
    for (let i = j; i < tiles.length; i++) {
      let tile = tiles[i]![j]!
      for (let k = 0; k < j; k++) tile = await products.subtractTransposed(tile, tiles[i]![k]!, tiles[j]![k]!)
      if (i === j) {
        factorizeTile(tile, bounds[j]!)
        inverses.push(invertLower(tile))
      } else {
        tile = await products.multiply(tile, transpose(inverses[j]!))
      }
      tiles[i]![j] = tile
    }
    onShare(shareOfColumns((j + 1) / tiles.length))
  }
  return inverses
}

/** The share of a factorisation that some columns of tiles take: each is as long as it is deep. */
function shareOfColumns(columns: number): number {
  return 3 * columns ** 2 - 2 * columns ** 3
}

/** Cholesky's factorisation of one tile, in place; the part above the diagonal becomes zero. */
function factorizeTile({ rows, data }: Tile, firstRow: number): void {
  for (let j = 0; j < rows; j++) {
    for (let i = j; i < rows; i++) {
      let sum = data[i * rows + j]!
      for (let k = 0; k < j; k++) sum -= data[i * rows + k]! * data[j * rows + k]!
      if (i > j) {
        data[i * rows + j] = sum / data[j * rows + j]!
        continue
      }
      if (!(sum > 0)) {
        throw new LayerpruneError(
          `the equations of the repair cannot be solved: pivot ${firstRow + j} is ${sum}, expected above 0`,
          { hint: 'give more calibration text with --dataset-size' },
        )
      }
      data[j * rows + j] = Math.sqrt(sum)
    }
    data.fill(0, j * rows + j + 1, (j + 1) * rows)
  }
}

function invertLower({ rows, columns, data }: Tile): Tile {
  const inverse = new Float64Array(rows * rows)
  for (let j = 0; j < rows; j++) {
    inverse[j * rows + j] = 1 / data[j * rows + j]!
    for (let i = j + 1; i < rows; i++) {
      let sum = 0
      for (let k = j; k < i; k++) sum -= data[i * rows + k]! * inverse[k * rows + j]!
      inverse[i * rows + j] = sum / data[i * rows + i]!
    }
  }
  return { rows, columns, data: inverse }
}

function transpose({ rows, columns, data }: Tile): Tile {
  const transposed = new Float64Array(data.length)
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) transposed[j * rows + i] = data[i * columns + j]!
  return { rows: columns, columns: rows, data: transposed }
}
