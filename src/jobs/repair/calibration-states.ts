import type { OnProgress } from '../../base/progress.js'
import type { State } from '../../engine/sessions/decoder-pieces.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import type { KeptBatch } from './fit-layer.js'
import type { RepairLayers } from './repair-layers.js'
import type { Kept, TensorStore } from './tensor-store.js'

/** States of the calibration texts in the whole and in the repaired model, by batch. */
export class CalibrationStates {
  readonly #layers: RepairLayers
  readonly #batches: EncodedText[][]
  readonly #store: TensorStore
  readonly #signal: AbortSignal | undefined
  /** The number of the whole model's state. */
  #at = 0
  #whole: Kept[] = []
  #repaired: Kept[] = []

  constructor(layers: RepairLayers, batches: EncodedText[][], store: TensorStore, signal: AbortSignal | undefined) {
    this.#layers = layers
    this.#batches = batches
    this.#store = store
    this.#signal = signal
  }

  /** Runs the texts up to state `first`, at which both models are the same. */
  async start(first: number, onProgress: OnProgress | undefined): Promise<void> {
    const total = this.#batches.flat().length
    const pieces = this.#piecesOf(0, first).length
    const report = (share: number) =>
      onProgress?.({
        ...{ phase: 'states of the whole model', done: share * total, total, unit: 'text', next: 'repair' },
      })
    report(0)
    for (const texts of this.#batches) {
      this.#signal?.throwIfAborted()
      this.#whole.push(await this.#store.keep(await this.#layers.pieces.embed(texts)))
    }
    let done = 0
    await this.#advance(this.#whole, 0, first, () => report(++done / (pieces * this.#batches.length)))
    this.#at = first
    this.#repaired = [...this.#whole]
  }

  /** Runs the whole model up to a state; `onLayers` gets the number of layers after each run of a batch. */
  async runWhole(to: number, onLayers: (count: number) => void): Promise<void> {
    await this.#advance(this.#whole, this.#at, to, onLayers)
    this.#at = to
  }

  /** Runs unchanged layers on the states of the repaired model. */
  runRepaired(from: number, to: number): Promise<void> {
    return this.#advance(this.#repaired, from, to)
  }

  setRepaired(states: Kept[]): void {
    for (const [index, state] of states.entries()) this.#replace(this.#repaired, index, state)
  }

  /** The inputs of a layer, and the states of the whole model that it should return. */
  pairs(): KeptBatch[] {
    return this.#batches.map((texts, index) => ({
      texts,
      state: this.#repaired[index]!,
      target: this.#whole[index]!,
    }))
  }

  close(): void {
    for (const state of [...this.#whole, ...this.#repaired]) state.free()
  }

  /** Each piece runs on all batches before the next one does: with little memory, it is loaded once. */
  async #advance(states: Kept[], from: number, to: number, onLayers?: (count: number) => void): Promise<void> {
    const { pieces, boundaries } = this.#layers
    for (const piece of this.#piecesOf(from, to)) {
      for (const [index, texts] of this.#batches.entries()) {
        this.#signal?.throwIfAborted()
        const state = (await states[index]!.read()) as State
        this.#replace(states, index, await this.#store.keep(await pieces.run(piece, state, texts)))
        onLayers?.(boundaries[piece + 1]! - boundaries[piece]!)
      }
    }
  }

  #piecesOf(from: number, to: number): number[] {
    const { boundaries } = this.#layers
    const [first, end] = [boundaries.indexOf(from), boundaries.indexOf(to)]
    return Array.from({ length: end - first }, (_, index) => first + index)
  }

  /** A state is kept for as long as one of the models needs it. */
  #replace(states: Kept[], index: number, state: Kept): void {
    const before = states[index]!
    states[index] = state
    if (this.#whole[index] !== before && this.#repaired[index] !== before) before.free()
  }
}
