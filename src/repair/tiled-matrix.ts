import type { Tile } from './tile-products.js'

/** Rows and columns of a tile; the last ones of a matrix are smaller. */
const TILE_SIZE = 256

/** Where the tiles of a matrix of `size` rows start, with the end of the last. */
function tileBounds(size: number): number[] {
  const starts = Array.from({ length: Math.ceil(size / TILE_SIZE) }, (_, index) => index * TILE_SIZE)
  return [...starts, size]
}

/** A symmetric matrix that holds only the tiles on and below the diagonal. */
export class SymmetricMatrix {
  readonly size: number
  readonly bounds: number[]
  /** `tiles[i][j]`, j at most i. */
  readonly tiles: Tile[][]

  constructor(size: number) {
    this.size = size
    this.bounds = tileBounds(size)
    this.tiles = this.bounds
      .slice(0, -1)
      .map((_, i) => Array.from({ length: i + 1 }, (_, j) => this.#zeros(i, j)))
  }

  /** Adds a matrix, [size, size] row-major, in place. */
  add(values: Float32Array): void {
    this.#eachTile((tile, row, column) => {
      for (let i = 0; i < tile.rows; i++) {
        const from = (row + i) * this.size + column
        const to = i * tile.columns
        for (let j = 0; j < tile.columns; j++) tile.data[to + j]! += values[from + j]!
      }
    })
  }

  /** A copy with numbers added to its diagonal. */
  withDiagonal(added: Float64Array): SymmetricMatrix {
    const copy = new SymmetricMatrix(this.size)
    for (const [i, row] of this.tiles.entries()) {
      for (const [j, tile] of row.entries()) copy.tiles[i]![j]!.data.set(tile.data)
      const { columns, data } = copy.tiles[i]![i]!
      for (let k = 0; k < columns; k++) data[k * columns + k]! += added[this.bounds[i]! + k]!
    }
    return copy
  }

  diagonal(): Float64Array {
    const values = new Float64Array(this.size)
    for (const [i, row] of this.tiles.entries()) {
      const { columns, data } = row[i]!
      for (let k = 0; k < columns; k++) values[this.bounds[i]! + k] = data[k * columns + k]!
    }
    return values
  }

  #zeros(i: number, j: number): Tile {
    const rows = this.bounds[i + 1]! - this.bounds[i]!
    const columns = this.bounds[j + 1]! - this.bounds[j]!
    return { rows, columns, data: new Float64Array(rows * columns) }
  }

  #eachTile(visit: (tile: Tile, row: number, column: number) => void): void {
    for (const [i, row] of this.tiles.entries()) {
      for (const [j, tile] of row.entries()) visit(tile, this.bounds[i]!, this.bounds[j]!)
    }
  }
}
