import { countBytes, type OnProgress } from '../../../base/progress.js'
import { printNote, setQuiet } from '../../terminal/output.js'
import { createProgress } from '../../terminal/progress.js'
import { listenForInterruption } from './interruption.js'

/** What a command gives a run to report to and to be stopped by. */
export interface RunHooks {
  signal: AbortSignal
  onProgress: OnProgress
  onDownload: OnDownload
  onNote: (message: string) => void
}

type OnDownload = (progress: { doneBytes: number; totalBytes: number }) => void

/** Fewer bytes come before a bar could be read. */
const SHOWN_BYTES = 5e6

/** Shows the files that are downloaded like other progress. */
export function reportDownload(onProgress: OnProgress): OnDownload {
  return ({ doneBytes, totalBytes }) => {
    if (totalBytes >= SHOWN_BYTES) onProgress(countBytes('downloading', doneBytes, totalBytes))
  }
}

/** Runs with a progress bar and notes on stderr, to be stopped by Ctrl-C. */
export async function runWithHooks<T>(
  { quiet = false }: { quiet?: boolean },
  run: (hooks: RunHooks) => Promise<T>,
): Promise<T> {
  setQuiet(quiet)
  const progress = createProgress({ quiet })
  const interruption = listenForInterruption()
  try {
    return await run({
      signal: interruption.signal,
      onProgress: progress.update,
      onDownload: reportDownload(progress.update),
      onNote: printNote,
    })
  } finally {
    progress.stop()
    interruption.stop()
  }
}
