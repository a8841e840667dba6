import { nameLayers } from '../layers/names.js'
import type { TextProgress } from '../run/run-options.js'
import { createProgress, type Unit } from './progress.js'

/** Shows the parts of a run: files that are downloaded, then texts or documents that are measured. */
export interface RunProgress {
  updateDownload(progress: { doneBytes: number; totalBytes: number }): void
  updateTexts(progress: TextProgress): void
  updateDocuments(progress: { documents: number; total: number }): void
  /** Takes the bar away. Call it however the work ends. */
  stop(): void
}

const BYTES_PER_MB = 1e6
/** Fewer bytes come before a bar could be read. */
const SHOWN_BYTES = 5 * BYTES_PER_MB

/** As `createProgress`, with a bar for each part, one at a time. */
export function createRunProgress(options: { quiet: boolean }): RunProgress {
  let unit: Unit = 'text'
  let progress = createProgress(options)
  const change = (to: Unit) => {
    if (to === unit) return
    progress.stop()
    unit = to
    progress = createProgress({ ...options, unit })
  }
  return {
    updateDownload({ doneBytes, totalBytes }) {
      if (totalBytes < SHOWN_BYTES) return
      change('MB')
      progress.update(Math.round(doneBytes / BYTES_PER_MB), Math.round(totalBytes / BYTES_PER_MB))
      if (doneBytes >= totalBytes) change('text')
    },
    updateDocuments({ documents, total }) {
      change('document')
      progress.update(documents, total)
    },
    updateTexts({ texts, ahead = 0, total, best }) {
      change('text')
      progress.update(texts + ahead, total, best && `best so far ${nameLayers(best)}`)
    },
    stop: () => progress.stop(),
  }
}
