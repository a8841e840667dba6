import { RUN_TOKENS } from '../../engine/sessions/memory-figures.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import type { EncodedRequest } from './encode-requests.js'

/** A text to run, and the continuations scored on it. */
export interface SharedRun extends EncodedText {
  requests: PlacedRequest[]
}

export interface PlacedRequest {
  /** Its number among all. */
  request: number
  /** Places of the tokens after which those of its continuation stand. */
  places: number[]
}

/** Minimum share of a text already in a tree for the rest to be added: a larger tree slows attention. */
const LEAST_SHARED = 1 / 4

/**
 * Merges what requests run, so that what they have in common at the start is run once. A text that another begins with
 * is not run by itself, because what a decoder makes of a token depends on no later one: choices of one token share the
 * run of their context. If the decoder can read prefix trees, longer choices do so too, and so do documents after the
 * same examples.
 * @param trees  whether the decoder can
 * @returns longest first
 */
export function shareRuns(
  requests: EncodedRequest[],
  originOf: (request: number) => string,
  trees: boolean,
): SharedRun[] {
  // of texts in ascending order, one that begins others comes before them
  const sorted = requests
    .map((_, request) => request)
    .sort((a, b) => compareIds(requests[a]!.input, requests[b]!.input))
  const runs: RunWriter[] = []
  for (const request of sorted) {
    const last = runs.at(-1)
    const run = last?.canAdd(requests[request]!, trees) ? last : new RunWriter(originOf(request))
    if (run !== last) runs.push(run)
    run.add(request, requests[request]!)
  }
  return runs.map((run) => run.finish()).sort((a, b) => b.ids.length - a.ids.length)
}

/** Writes texts one after another, each without what it has in common with the one before it. */
class RunWriter {
  readonly #ids: number[] = []
  readonly #positions: number[] = []
  readonly #seenUntil: number[] = []
  readonly #requests: PlacedRequest[] = []
  readonly #origin: string
  /** Places of the tokens of the last text. */
  #path: number[] = []
  #isTree = false

  constructor(origin: string) {
    this.#origin = origin
  }

  canAdd({ input }: EncodedRequest, trees: boolean): boolean {
    const shared = this.#countShared(input)
    if (shared === this.#path.length && !this.#isTree) return true
    const tokens = this.#ids.length + input.length - shared
    const most = Math.max(RUN_TOKENS, 2 * input.length)
    return trees && shared >= input.length * LEAST_SHARED && tokens <= most
  }

  add(request: number, { input, from, ids }: EncodedRequest): void {
    const shared = this.#countShared(input)
    for (const place of this.#path.splice(shared)) {
      this.#seenUntil[place] = this.#ids.length
      this.#isTree = true
    }
    for (const [index, id] of input.slice(shared).entries()) {
      this.#path.push(this.#ids.length)
      this.#positions.push(shared + index)
      this.#ids.push(id)
    }
    this.#requests.push({ request, places: this.#path.slice(from, from + ids.length) })
  }

  finish(): SharedRun {
    const run = { ids: this.#ids, origin: this.#origin, requests: this.#requests }
    if (!this.#isTree) return run
    for (const place of this.#path) this.#seenUntil[place] = this.#ids.length
    return { ...run, tree: { positions: this.#positions, seenUntil: this.#seenUntil } }
  }

  /** Tokens with which a text and the last one begin. */
  #countShared(input: number[]): number {
    const differing = this.#path.findIndex((place, index) => this.#ids[place] !== input[index])
    return differing === -1 ? this.#path.length : differing
  }
}

function compareIds(a: number[], b: number[]): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    if (a[index] !== b[index]) return a[index]! - b[index]!
  }
  return a.length - b.length
}
