import type { DecoderGraph } from '../../model/graph/decoder-graph.js'
import type { GraphRunner } from './graph-runner.js'
import { listLoadedWeights, measureWeightBytes, type WeightBytes } from './loaded-weights.js'
import { LOADING_COPIES } from './memory-figures.js'
import { type RunnerOptions, releaseAll } from './session.js'

type PartOptions = Pick<RunnerOptions, 'keepsMemory'>
type OpenPart = (part: DecoderGraph, options?: PartOptions) => Promise<GraphRunner>

interface Stored {
  runner: Promise<GraphRunner>
  weights: WeightBytes
}

/** Parts of a decoder by name, each loaded on first use and kept for as long as there is room for it. */
export class RunnerStore {
  /** Bytes that the weights of loaded parts may take. */
  roomBytes = Infinity
  readonly #open: OpenPart
  readonly #stored = new Map<string, Stored>()

  constructor(open: OpenPart) {
    this.#open = open
  }

  has(name: string): boolean {
    return this.#stored.has(name)
  }

  /** A part, loaded if it is not. Parts run in the same order each time, so the last loaded are released first. */
  async get(name: string, take: () => DecoderGraph, options?: PartOptions): Promise<GraphRunner> {
    const known = this.#stored.get(name)
    if (known !== undefined) return known.runner
    const part = take()
    const weights = measureWeightBytes(listLoadedWeights(part))
    while (this.#stored.size > 0 && this.#countBytes(weights) > this.roomBytes) await this.#releaseLast()
    const runner = this.#open(part, options)
    this.#stored.set(name, { runner, weights })
    return runner
  }

  async close(): Promise<void> {
    await releaseAll([...this.#stored.values()].map(({ runner }) => runner))
    this.#stored.clear()
  }

  async #releaseLast(): Promise<void> {
    const [name, { runner }] = [...this.#stored].at(-1)!
    this.#stored.delete(name)
    await releaseAll([runner])
  }

  #countBytes(added: WeightBytes): number {
    const all = [...[...this.#stored.values()].map(({ weights }) => weights), added]
    const held = all.reduce((sum, { heldBytes }) => sum + heldBytes, 0)
    return held + LOADING_COPIES * Math.max(...all.map(({ passingBytes }) => passingBytes))
  }
}
