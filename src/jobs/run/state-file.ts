import { rm } from 'node:fs/promises'
import { writeFileAtomically } from '../../base/write-files.js'

/** At least so long after a write comes the next, unless the job stops. */
const SHORTEST_MS = 1000
/** At most so long, so that a killed job loses less than a minute. */
const LONGEST_MS = 30_000
/** Between these bounds, writing takes at most 1/200 of the time. */
const TIME_SHARE = 200

export interface StateFileOptions<State> {
  encode: (state: State) => string | Uint8Array
  /** Called once if the state cannot be written, as on a full disk. The job goes on, and later writes are tried. */
  onFailure?: ((message: string) => void) | undefined
  /** Milliseconds, of any start. */
  now?: (() => number) | undefined
}

/** The file in which a long job keeps what it needs to go on after a stop; written whole or not at all. */
export class StateFile<State> {
  readonly path: string
  readonly #options: StateFileOptions<State>
  readonly #now: () => number
  #dueMs: number
  /** The latest state, if it has not been written. */
  #pending: (() => State) | undefined
  #hasFailed = false
  #isWritten = false

  constructor(path: string, options: StateFileOptions<State>) {
    this.path = path
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.#dueMs = this.#now() + SHORTEST_MS
  }

  /**
   * Notes the latest state, and writes it if enough time has passed since the last write.
   * @param take  makes the state; called when it is written, which may be after later changes
   */
  async note(take: () => State): Promise<void> {
    this.#pending = take
    if (this.#now() >= this.#dueMs) await this.save()
  }

  /**
   * Writes the latest state if it has not been written, as a job does that stops.
   * @returns whether the file holds all that was noted
   */
  async save(): Promise<boolean> {
    const take = this.#pending
    if (take === undefined) return true
    const startMs = this.#now()
    try {
      await writeFileAtomically(this.path, this.#options.encode(take()))
      this.#pending = undefined
      this.#isWritten = true
    } catch (error) {
      if (!this.#hasFailed) this.#options.onFailure?.(`the work so far could not be saved: ${(error as Error).message}`)
      this.#hasFailed = true
    }
    const endMs = this.#now()
    this.#dueMs = endMs + Math.min(LONGEST_MS, Math.max(SHORTEST_MS, TIME_SHARE * (endMs - startMs)))
    return this.#pending === undefined
  }

  /** Whether the file holds a state of this job, if perhaps not the latest. */
  get isWritten(): boolean {
    return this.#isWritten
  }

  async remove(): Promise<void> {
    this.#pending = undefined
    await rm(this.path, { force: true })
  }
}
