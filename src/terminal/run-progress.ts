import { nameLayers } from '../layers/names.js'
import type { TextProgress } from '../run/run-options.js'
import { createProgress } from './progress.js'

/** Shows the two parts of a run: files that are downloaded, then texts that are measured. */
export interface RunProgress {
  updateDownload(progress: { doneBytes: number; totalBytes: number }): void
  updateTexts(progress: TextProgress): void
  /** Takes the bar away. Call it however the work ends. */
  stop(): void
}

const BYTES_PER_MB = 1e6
/** Fewer bytes come before a bar could be read. */
const SHOWN_BYTES = 5 * BYTES_PER_MB

/** As `createProgress`, with a bar for either part, one at a time. */
export function createRunProgress(options: { quiet: boolean }): RunProgress {
  let isDownload = false
  let progress = createProgress(options)
  const change = (toDownload: boolean) => {
    if (toDownload === isDownload) return
    progress.stop()
    isDownload = toDownload
    progress = createProgress({ ...options, unit: toDownload ? 'MB' : 'text' })
  }
  return {
    updateDownload({ doneBytes, totalBytes }) {
      if (totalBytes < SHOWN_BYTES) return
      change(true)
      progress.update(Math.round(doneBytes / BYTES_PER_MB), Math.round(totalBytes / BYTES_PER_MB))
      if (doneBytes >= totalBytes) change(false)
    },
    updateTexts({ texts, ahead = 0, total, best }) {
      change(false)
      progress.update(texts + ahead, total, best && `best so far ${nameLayers(best)}`)
    },
    stop: () => progress.stop(),
  }
}
