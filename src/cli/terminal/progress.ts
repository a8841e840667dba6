import type { OnProgress } from '../../base/progress.js'
import type { Bar } from './bar.js'
import { clockMs, openBarThread } from './bar-thread.js'
import { printNote, printWarning, setLiveLine, widthOf } from './output.js'
import { describeProgress, type ProgressLine } from './progress-line.js'
import { ProgressTracker } from './track-progress.js'

export interface ProgressDisplay {
  update: OnProgress
  /** Removes the bar. Call it even if the work fails. */
  stop: () => void
}

interface DisplayOptions {
  quiet: boolean
  stream?: NodeJS.WriteStream
  /** Draws on the stream; by default a bar on stderr. */
  bar?: Bar
  now?: () => number
}

const PLAIN_LINE_EVERY_MS = 30_000

/** Shows progress: a bar on a terminal that can move its cursor, else a line every 30 s at most; none if `quiet`. */
export function createProgress({
  quiet,
  stream = process.stderr,
  bar,
  now = clockMs,
}: DisplayOptions): ProgressDisplay {
  if (quiet) return { update: () => {}, stop: () => {} }
  if (!stream.isTTY || process.env.TERM === 'dumb') return createPlainLines(now)
  // ONNX Runtime holds this thread while it runs: in another thread the bar is still drawn
  return createBarDisplay(bar ?? openBarThread(process.stderr.fd, warnOfFailure), stream, now)
}

function warnOfFailure({ message }: Error): void {
  printWarning(`the progress bar can no longer be drawn: ${message}`)
}

function createBarDisplay(bar: Bar, stream: NodeJS.WriteStream, now: () => number): ProgressDisplay {
  const tracker = new ProgressTracker()
  let line: ProgressLine | undefined
  const show = () => {
    if (line !== undefined) bar.show(line, widthOf(stream) - 1)
  }
  let isStopped = false
  setLiveLine({ hide: () => bar.hide(), show })
  return {
    update(progress) {
      if (isStopped) return
      line = tracker.follow(progress, now())
      show()
    },
    stop() {
      if (isStopped) return
      isStopped = true
      setLiveLine(null)
      bar.hide()
    },
  }
}

function createPlainLines(now: () => number): ProgressDisplay {
  const tracker = new ProgressTracker()
  let lastMs = now()
  return {
    update(progress) {
      const nowMs = now()
      const line = tracker.follow(progress, nowMs)
      if (nowMs - lastMs < PLAIN_LINE_EVERY_MS) return
      lastMs = nowMs
      printNote(describeProgress(line, nowMs))
    },
    stop() {},
  }
}
