import type { State } from '../../engine/sessions/decoder-pieces.js'
import type { EncodedText } from '../../texts/tokens/windows.js'

/** The path of a batch through the pieces of a model. */
export interface Prefix {
  pieces: number[]
  /** Before each piece and after the last. */
  states: State[]
}

/** Holds the states of batches in the whole model and in the one that candidates branch off, so that they run once. */
export class Prefixes {
  readonly #held = new Map<EncodedText[], { whole?: Prefix; current?: Prefix }>()

  whole(batch: EncodedText[]): Prefix | undefined {
    return this.#held.get(batch)?.whole
  }

  /** Holds a prefix instead of the one before of its kind. */
  set(batch: EncodedText[], kind: 'whole' | 'current', prefix: Prefix): void {
    this.#held.set(batch, { ...this.#held.get(batch), [kind]: prefix })
  }

  /** State 0 of a batch, if it is held. */
  first(batch: EncodedText[]): State | undefined {
    return this.whole(batch)?.states[0]
  }

  /** What a piece makes of a state, if it is held. */
  next(batch: EncodedText[], piece: number, state: State): State | undefined {
    for (const prefix of Object.values(this.#held.get(batch) ?? {})) {
      const place = prefix.states.indexOf(state)
      if (place >= 0 && prefix.pieces[place] === piece) return prefix.states[place + 1]
    }
    return undefined
  }
}
