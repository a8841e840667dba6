import type { Progress } from '../../base/progress.js'
import { PhaseClock } from './phase-clock.js'
import { type ProgressLine, shareOf } from './progress-line.js'

interface Phase {
  clock: PhaseClock
  startedAtMs: number
  /** Time of its last report. */
  leftAtMs: number
}

/** Turns reports into lines with the speed and end of their phase; a phase back at its start begins anew. */
export class ProgressTracker {
  readonly #phases = new Map<string, Phase>()
  #current: Phase | undefined
  /** Time of the last report. */
  #reportedAtMs = 0

  /** @param nowMs of a clock that lines are read by */
  follow(progress: Progress, nowMs: number): ProgressLine {
    const share = shareOf(progress)
    const activeMs = nowMs - this.#reportedAtMs
    this.#reportedAtMs = nowMs
    const phase = this.#phases.get(progress.phase)
    if (phase === undefined || (share === 0 && phase.clock.share > 0)) {
      const started = { clock: new PhaseClock(share, progress.done), startedAtMs: nowMs, leftAtMs: nowMs }
      this.#phases.set(progress.phase, started)
      this.#leaveFor(started, nowMs)
      return makeLine(progress, started)
    }
    if (phase === this.#current) phase.clock.advance(share, progress.done, { nowMs, activeMs })
    else {
      phase.clock.pause(nowMs - phase.leftAtMs)
      phase.startedAtMs += nowMs - phase.leftAtMs
      this.#leaveFor(phase, nowMs)
    }
    return makeLine(progress, phase)
  }

  #leaveFor(phase: Phase, nowMs: number): void {
    if (this.#current !== undefined) this.#current.leftAtMs = nowMs
    this.#current = phase
  }
}

function makeLine(progress: Progress, { clock, startedAtMs }: Phase): ProgressLine {
  return { ...progress, startedAtMs, endsAtMs: clock.endsAtMs, unitsPerSecond: clock.unitsPerSecond }
}
