import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomically } from '../../../base/write-files.js'
import type { SimilarityResult } from '../../../results/documents/similarity-result.js'
import { nameResult } from './result-files.js'

/** Minimum time between checkpoints; the first is written at once. */
const INTERVAL_MS = 1000
/** Writing takes at most 1/200 of the time. */
const TIME_SHARE = 200

/** The partial result of a run, written as it goes, to resume from however it ends. */
export interface CheckpointFile {
  path: string
  /** Whether an earlier run left one. */
  exists(): boolean
  /** The partial result of an earlier run in the same folder; undefined if there is none. */
  read(): Promise<SimilarityResult | undefined>
  write(partial: SimilarityResult): Promise<void>
  /** Writes if enough time has passed. A failure is reported once and ends only the checkpoints. */
  writeSometimes(takePartial: () => SimilarityResult): Promise<void>
  remove(): Promise<void>
}

export function openCheckpointFile(
  folder: string,
  { shard, run }: Pick<SimilarityResult, 'shard' | 'run'>,
  onFailure: (message: string) => void,
): CheckpointFile {
  const path = join(folder, `${nameResult({ ...(shard && { shard }) })}.partial.json`)
  let dueMs = 0
  const write = (partial: SimilarityResult) =>
    writeFileAtomically(path, `${JSON.stringify({ ...partial, run }, null, 2)}\n`)
  return {
    path,
    exists: () => existsSync(path),
    async read() {
      if (!existsSync(path)) return undefined
      const { readSimilarityResult } = await import('../../../results/documents/read-saved.js')
      return readSimilarityResult(path)
    },
    write,
    async writeSometimes(takePartial) {
      const startMs = performance.now()
      if (startMs < dueMs) return
      try {
        await write(takePartial())
        const endMs = performance.now()
        dueMs = endMs + Math.max(INTERVAL_MS, TIME_SHARE * (endMs - startMs))
      } catch (error) {
        dueMs = Number.POSITIVE_INFINITY
        onFailure(`no more checkpoints: ${(error as Error).message}`)
      }
    },
    remove: () => rm(path, { force: true }),
  }
}
