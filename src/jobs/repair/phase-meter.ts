/** Phases of a repair, in the order in which they start. */
const PHASES = ['opening', 'whole model', 'moments', 'equations', 'changing', 'perplexity'] as const

export type RepairPhase = (typeof PHASES)[number]

export interface PhaseFigures {
  phase: RepairPhase
  seconds: number
  /** Most resident memory of the process at the end of a part of it. */
  memoryBytes: number
}

/** Measures the time and the memory of the phases of a repair, which take turns. */
export class PhaseMeter {
  readonly #figures = new Map<RepairPhase, PhaseFigures>()

  async time<T>(phase: RepairPhase, action: () => Promise<T>): Promise<T> {
    const startMs = performance.now()
    try {
      return await action()
    } finally {
      const before = this.#figures.get(phase)
      this.#figures.set(phase, {
        phase,
        seconds: (before?.seconds ?? 0) + (performance.now() - startMs) / 1000,
        memoryBytes: Math.max(before?.memoryBytes ?? 0, process.memoryUsage.rss()),
      })
    }
  }

  figures(): PhaseFigures[] {
    return PHASES.flatMap((phase) => this.#figures.get(phase) ?? [])
  }
}
