import cliProgress from 'cli-progress'
import { cleanLine } from '../../base/clean-text.js'
import { formatProgress, type ProgressLine } from './progress-line.js'

export interface Bar {
  show(line: ProgressLine, width: number): void
  /** Takes the line off the screen, the cursor at its start. */
  hide(): void
}

const DRAWS_PER_SECOND = 5

/** A bar that redraws itself, to update its times, while its thread's event loop runs. */
export function createBar(stream: NodeJS.WritableStream, now: () => number): Bar {
  let shown: { line: ProgressLine; width: number } | undefined
  const bar = new cliProgress.SingleBar({
    stream,
    format: () => (shown === undefined ? '' : cleanLine(formatProgress(shown.line, now(), shown.width))),
    fps: DRAWS_PER_SECOND,
    clearOnComplete: true,
    // leave line wrapping and signals unchanged: a killed process could not restore them
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
