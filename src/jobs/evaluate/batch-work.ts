import type { PrefixTree } from './prefix-tree.js'

export interface Advance {
  /** Share of its work that is done, 0 to 1. */
  share: number
  /** Candidates whose layers have all run. */
  candidates: number
}

export type OnAdvance = (advance: Advance) => void

/** Costs of the parts of a model, in any unit. */
export interface Costs {
  ofPiece: (piece: number) => number
  head: number
}

const ROUNDING = 1e-9

/** Counts the work of a batch that runs along every path of a tree. */
export class BatchWork {
  readonly #costs: Costs
  readonly #total: number
  readonly #onAdvance: OnAdvance | undefined
  #done = 0
  #candidates = 0

  constructor(tree: PrefixTree, costs: Costs, onAdvance?: OnAdvance) {
    this.#costs = costs
    this.#total = sumCosts(tree, costs)
    this.#onAdvance = onAdvance
  }

  addPiece(piece: number): void {
    this.#add(this.#costs.ofPiece(piece))
  }

  /** Counts paths whose last state is there. */
  addEnds(candidates: number): void {
    this.#candidates += candidates
    this.#add(0)
  }

  /** @param heads  runs of the head over the whole batch; parts of one count */
  addHeads(heads: number): void {
    this.#add(heads * this.#costs.head)
  }

  #add(cost: number): void {
    this.#done += cost
    const share = this.#done / this.#total
    // sums of parts are not exact
    this.#onAdvance?.({ share: share > 1 - ROUNDING ? 1 : share, candidates: this.#candidates })
  }
}

function sumCosts({ ends, next }: PrefixTree, costs: Costs): number {
  return [...next].reduce(
    (sum, [piece, branch]) => sum + costs.ofPiece(piece) + sumCosts(branch, costs),
    ends.length > 0 ? costs.head : 0,
  )
}
