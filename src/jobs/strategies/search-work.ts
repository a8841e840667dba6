import { formatPerplexity } from '../../base/format-numbers.js'
import type { OnProgress } from '../../base/progress.js'
import { countRunning, lossOf, type RaceReport, type Round, type Runner } from './race.js'

interface Search {
  layers: number
  /** Layers to remove. */
  n: number
  onProgress?: OnProgress | undefined
  /** Whether candidates are known after the first race. */
  isMonotone: boolean
  /** Whether values are known about them before each. */
  hasErrors: boolean
  /** Formats a loss; as a perplexity if omitted. */
  describeLoss?: ((loss: number) => string) | undefined
}

/** Counts the work of a greedy search, candidates times tokens, and reports it; what is left is an upper bound. */
export class SearchWork {
  readonly #search: Search
  /** Scored tokens of each text. */
  readonly #tokens: number[]
  #done = 0
  #left: number

  constructor(search: Search, rounds: Round[]) {
    this.#search = search
    this.#tokens = rounds.flatMap(({ batch }) => batch.map(({ ids }) => ids.length - 1))
    const races = Array.from({ length: search.n })
    const plans = races.flatMap((_, step) => rounds.map((round) => this.#plan(step, round)))
    this.#left = sum(plans)
  }

  /** @param step  layers that are removed already */
  startRace(step: number): RaceReport {
    return {
      advance: ({ round, measured, running, leader }) => {
        const candidate = Math.min(Math.floor(measured) + 1, running)
        const best = leader === undefined ? '' : `, best so far ${leader.layer} -> ${this.#describe(leader)}`
        this.#report(step, measured * this.#tokensIn(round), `candidate ${candidate} of ${running}${best}`)
      },
      endRound: (round, measured) => {
        this.#done += measured * this.#tokensIn(round)
        this.#left -= this.#plan(step, round)
      },
    }
  }

  /** Work of a round in which no candidate is significantly worse. */
  #plan(step: number, round: Round): number {
    const { layers, isMonotone, hasErrors } = this.#search
    const done = round.first / this.#tokens.length
    const known = Number(isMonotone && step > 0) + Number(hasErrors)
    return countRunning(layers - step, done, known) * this.#tokensIn(round)
  }

  #tokensIn({ batch, first }: Round): number {
    return sum(this.#tokens.slice(first, first + batch.length))
  }

  /** The loss per token of the texts that a candidate was measured on. */
  #describe(runner: Runner): string {
    const { describeLoss = (loss) => formatPerplexity(Math.exp(loss)) } = this.#search
    const tokens = this.#tokens.filter((_, text) => !Number.isNaN(runner.losses[text]))
    return describeLoss(lossOf(runner) / sum(tokens))
  }

  #report(step: number, cost: number, what: string): void {
    const { n, onProgress } = this.#search
    onProgress?.({
      ...{ phase: 'search', done: step, total: n, isMost: true },
      share: Math.min(1, (this.#done + cost) / (this.#done + this.#left)),
      detail: `layer ${step + 1} of ${n}, ${what}`,
    })
  }
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
