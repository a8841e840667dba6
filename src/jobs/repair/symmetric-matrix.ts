import type { Tile } from './tile-products.js'

/** Columns of a panel, more for a large matrix; the rest of a group is a panel if it has `LEAST_WIDTH`. */
const PANEL_WIDTH = 128
const WIDE_PANEL = 256
const LARGE_SIZE = 4096
const LEAST_WIDTH = 32

/** Starts of a matrix's panels and the end of the last. No panel spans two groups of rows. */
export function panelBounds(groups: number[]): number[] {
  const isLarge = groups.reduce((sum, size) => sum + size, 0) > LARGE_SIZE
  const width = isLarge ? WIDE_PANEL : PANEL_WIDTH
  const bounds = [0]
  for (const size of groups) {
    const start = bounds.at(-1)!
    for (let at = width; at + LEAST_WIDTH <= size; at += width) bounds.push(start + at)
    if (size > 0) bounds.push(start + size)
  }
  return bounds
}

/**
 * A symmetric matrix in float64 that holds only what is on and above the diagonal, in panels of columns. Panel i has
 * columns `bounds[i]` to `bounds[i + 1]` of all rows up to `bounds[i + 1]`, row-major.
 */
export class SymmetricMatrix {
  readonly bounds: number[]
  readonly panels: Tile[]

  /** @param groups  rows of each group, see `panelBounds` */
  constructor(groups: number[])
  constructor(bounds: number[], panels: Tile[])
  constructor(sizes: number[], panels?: Tile[]) {
    this.bounds = panels === undefined ? panelBounds(sizes) : sizes
    this.panels =
      panels ??
      this.bounds.slice(1).map((rows, index) => {
        const columns = rows - this.bounds[index]!
        return { rows, columns, data: new Float64Array(rows * columns) }
      })
  }

  get size(): number {
    return this.bounds.at(-1)!
  }

  /** Adds another matrix, given as row-major panels, in place. */
  add(panels: ArrayLike<number>[]): void {
    for (const [index, { data }] of this.panels.entries()) {
      const added = panels[index]!
      for (let at = 0; at < data.length; at++) data[at]! += added[at]!
    }
  }

  withDiagonal(added: Float64Array): SymmetricMatrix {
    const panels = this.panels.map((panel) => ({ ...panel, data: panel.data.slice() }))
    const copy = new SymmetricMatrix(this.bounds, panels)
    copy.#eachDiagonal((data, at, row) => {
      data[at]! += added[row]!
    })
    return copy
  }

  diagonal(): Float64Array {
    const values = new Float64Array(this.size)
    this.#eachDiagonal((data, at, row) => {
      values[row] = data[at]!
    })
    return values
  }

  /** The part of the rows and columns from a group's `start` on, which shares its numbers with this matrix. */
  trailing(start: number): SymmetricMatrix {
    const first = this.bounds.indexOf(start)
    const panels = this.panels.slice(first).map(({ rows, columns, data }) => ({
      rows: rows - start,
      columns,
      data: data.subarray(start * columns),
    }))
    const bounds = this.bounds.slice(first).map((bound) => bound - start)
    return new SymmetricMatrix(bounds, panels)
  }

  #eachDiagonal(visit: (data: Float64Array, at: number, row: number) => void): void {
    for (const [index, { columns, data }] of this.panels.entries()) {
      const start = this.bounds[index]!
      for (let k = 0; k < columns; k++) visit(data, (start + k) * columns + k, start + k)
    }
  }
}
