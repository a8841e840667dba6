import type { TextProgress } from '../../run/run-options.js'
import { printNote, setQuiet } from '../../terminal/output.js'
import { createRunProgress } from '../../terminal/run-progress.js'
import { listenForInterruption } from './interruption.js'

/** What a command gives a run to report to and to be stopped by. */
export interface RunHooks {
  signal: AbortSignal
  onProgress: (progress: TextProgress) => void
  onDocuments: (progress: { documents: number; total: number }) => void
  onDownload: (progress: { doneBytes: number; totalBytes: number }) => void
  onNote: (message: string) => void
}

/** Runs with a progress bar and notes on stderr, to be stopped by Ctrl-C. */
export async function runWithHooks<T>(
  { quiet = false }: { quiet?: boolean },
  run: (hooks: RunHooks) => Promise<T>,
): Promise<T> {
  setQuiet(quiet)
  const progress = createRunProgress({ quiet })
  const interruption = listenForInterruption(() =>
    printNote('stopping after the current batch; press Ctrl-C again to stop at once'),
  )
  try {
    return await run({
      signal: interruption.signal,
      onProgress: progress.updateTexts,
      onDocuments: progress.updateDocuments,
      onDownload: progress.updateDownload,
      onNote: printNote,
    })
  } finally {
    progress.stop()
    interruption.stop()
  }
}
