export type Unit = 'text' | 'document' | 'layer' | 'matrix' | 'step' | 'token' | 'MB'

/** How far a long job is. */
export interface Progress {
  /** What is being done, a few words. Each phase has a speed of its own; one may be interrupted by another. */
  phase: string
  /** Units done; parts of one count. */
  done: number
  /** Units in all; null while unknown. */
  total: number | null
  /** Whether the total is an estimate. */
  isEstimate?: boolean
  /** Omitted if nothing is worth counting. */
  unit?: Unit
  /** Share of the phase's work that is done, 0 to 1, if not all units take the same time; null if it is not known. */
  share?: number | null
  /** Whether the work may end before the share is 1. */
  isMost?: boolean
  /** More to show, such as the current layer or the best result so far. */
  detail?: string | undefined
  /** What follows this phase. */
  next?: string | undefined
}

/** Called by a long job before it starts with something, and after each part of it. */
export type OnProgress = (progress: Progress) => void

/** Reports a phase by another name, and says what follows it. */
export function renamePhase(
  onProgress: OnProgress | undefined,
  phase: string,
  { as = phase, next }: { as?: string; next?: string | undefined },
): OnProgress | undefined {
  return (
    onProgress && ((progress) => onProgress(progress.phase === phase ? { ...progress, phase: as, next } : progress))
  )
}

const BYTES_PER_MB = 1e6

export interface ProgressOptions {
  onProgress?: OnProgress | undefined
}

export function countBytes(phase: string, doneBytes: number, totalBytes: number): Progress {
  const share = totalBytes > 0 ? doneBytes / totalBytes : 1
  return {
    phase,
    done: Math.round(doneBytes / BYTES_PER_MB),
    total: Math.round(totalBytes / BYTES_PER_MB),
    unit: 'MB',
    share,
  }
}
