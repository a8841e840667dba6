/** A point of a phase: the amount done after a time of its own. */
interface Point {
  activeMs: number
  share: number
  done: number
}

/** Share of the work that the speed ignores, because it includes one-time work. */
const WARM_UP = 0.05

/** With less time and work, no estimate of the rest is reliable. */
const LEAST_MS = 3000
const LEAST_SHARE = 0.1

/** An end moves towards a later one at this many times the distance between them per time left. */
const SPEED_BACK = 1.5

/** Estimates when a phase ends from the parts that are done, counting only its own time if it is interrupted. */
export class PhaseClock {
  readonly #first: Point
  /** The first point after the warm-up. */
  #warm: Point | undefined
  #last: Point
  #endsAtMs: number | null = null
  /** When the end was estimated last. */
  #estimatedAtMs = 0

  constructor(share: number | null, done: number) {
    this.#first = { activeMs: 0, share: share ?? 0, done }
    this.#last = this.#first
  }

  /** Share of the phase that is done, 0 to 1. */
  get share(): number {
    return this.#last.share
  }

  /** When the phase will end; null while that cannot be estimated. */
  get endsAtMs(): number | null {
    return this.#endsAtMs
  }

  /** Units a second; null before the first one. */
  get unitsPerSecond(): number | null {
    const { activeMs, done } = this.#start((point) => point.done)
    const units = this.#last.done - done
    const ms = this.#last.activeMs - activeMs
    return units > 0 && ms > 0 ? (1000 * units) / ms : null
  }

  /**
   * Records the progress of the phase.
   * @param nowMs    of the clock by which the phase will end
   * @param activeMs how long the phase has been at work since the last point
   */
  advance(share: number | null, done: number, { nowMs, activeMs }: { nowMs: number; activeMs: number }): void {
    const hasAdvanced = share === null || share > this.#last.share
    this.#last = { activeMs: this.#last.activeMs + activeMs, share: share ?? this.#last.share, done }
    const warmShare = this.#first.share + WARM_UP * (1 - this.#first.share)
    if (this.#warm === undefined && this.#last.share >= warmShare) this.#warm = this.#last
    if (hasAdvanced) this.#estimate(share, nowMs)
  }

  /** Moves the end back by the time for which another phase interrupted this one. */
  pause(ms: number): void {
    if (this.#endsAtMs !== null) this.#endsAtMs += ms
    this.#estimatedAtMs += ms
  }

  #estimate(share: number | null, nowMs: number): void {
    if (share === null) {
      this.#endsAtMs = null
      return
    }
    const start = this.#start((point) => point.share)
    const ms = this.#last.activeMs - start.activeMs
    const advanced = share - start.share
    if (!(advanced > 0 && (ms >= LEAST_MS || advanced >= LEAST_SHARE))) return
    const endsAtMs = nowMs + (Math.max(0, 1 - share) * ms) / advanced
    const before = this.#endsAtMs
    this.#endsAtMs = before === null || endsAtMs < before ? endsAtMs : this.#moveBack(before, endsAtMs, nowMs)
    this.#estimatedAtMs = nowMs
  }

  /** Moves an end toward a later one, faster if less time is left; the time left rises only below 3/5 of its due. */
  #moveBack(before: number, endsAtMs: number, nowMs: number): number {
    const leftMs = before - this.#estimatedAtMs
    const way = leftMs > 0 ? 1 - Math.exp((SPEED_BACK * (this.#estimatedAtMs - nowMs)) / leftMs) : 1
    return before + way * (endsAtMs - before)
  }

  /** Start of the speed measurement: after the warm-up, once the same amount of work again is done. */
  #start(amountOf: (point: Point) => number): Point {
    if (this.#warm === undefined) return this.#first
    const warmingUp = amountOf(this.#warm) - amountOf(this.#first)
    return amountOf(this.#last) - amountOf(this.#warm) >= warmingUp ? this.#warm : this.#first
  }
}
