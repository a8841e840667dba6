import type { State } from '../../engine/sessions/decoder-pieces.js'
import type { EncodedText } from '../../texts/tokens/windows.js'

/** The path of a batch through the pieces of a model. */
export interface Trunk {
  pieces: number[]
  /** Before each piece and after the last. */
  states: State[]
}

/**
 * Holds the states of batches in the whole model and in the one from which candidates branch off, so that they run once.
 */
export class Trunks {
  readonly #held = new Map<EncodedText[], { whole?: Trunk; current?: Trunk }>()

  whole(batch: EncodedText[]): Trunk | undefined {
    return this.#held.get(batch)?.whole
  }

  /** Holds a trunk instead of the one before of its kind. */
  set(batch: EncodedText[], kind: 'whole' | 'current', trunk: Trunk): void {
    this.#held.set(batch, { ...this.#held.get(batch), [kind]: trunk })
  }

  /** State 0 of a batch, if it is held. */
  first(batch: EncodedText[]): State | undefined {
    return this.whole(batch)?.states[0]
  }

  /** What a piece makes of a state, if it is held. */
  next(batch: EncodedText[], piece: number, state: State): State | undefined {
    for (const trunk of Object.values(this.#held.get(batch) ?? {})) {
      const place = trunk.states.indexOf(state)
      if (place >= 0 && trunk.pieces[place] === piece) return trunk.states[place + 1]
    }
    return undefined
  }
}
