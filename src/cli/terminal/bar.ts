import cliProgress from 'cli-progress'
import { cleanLine } from '../../base/clean-text.js'
import { formatProgress, type ProgressLine } from './progress-line.js'

/** A line that is redrawn in place. */
export interface Bar {
  show(line: ProgressLine, width: number): void
  /** Takes the line off the screen, the cursor at its start. */
  hide(): void
}

const DRAWS_PER_SECOND = 5

/** A bar that redraws itself while the event loop of its thread runs: the time passes in it. */
export function createBar(stream: NodeJS.WritableStream, now: () => number): Bar {
  let shown: { line: ProgressLine; width: number } | undefined
  const bar = new cliProgress.SingleBar({
    stream,
    format: () => (shown === undefined ? '' : cleanLine(formatProgress(shown.line, now(), shown.width))),
    fps: DRAWS_PER_SECOND,
    clearOnComplete: true,
    // leaves line wrapping and signals alone: neither needs mending when the process is killed
    linewrap: true,
    gracefulExit: false,
  })
  let isDrawn = false
  return {
    show(line, width) {
      shown = { line, width }
      if (isDrawn) bar.update(0)
      else bar.start(1, 0)
      isDrawn = true
    },
    hide() {
      if (isDrawn) bar.stop()
      isDrawn = false
    },
  }
}
