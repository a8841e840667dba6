import cliProgress from 'cli-progress'
import { cleanLine } from '../clean-text.js'
import { formatCount, formatDuration, formatQuantity } from '../format-numbers.js'
import { printNote, setLiveLine, widthOf } from './output.js'

/** What is counted: texts or documents measured, steps of training, megabytes or tokens written. */
export type Unit = 'text' | 'document' | 'cut' | 'step' | 'token' | 'MB'

export interface Progress {
  /**
   * @param done   texts measured, or megabytes written; parts count
   * @param total  of how many, null while unknown
   * @param remark  put last, if there is room
   */
  update(done: number, total: number | null, remark?: string): void
  /** Takes the bar away. Call it however the work ends. */
  stop(): void
}

interface ProgressOptions {
  quiet: boolean
  /** 'text' if omitted. */
  unit?: Unit
  stream?: NodeJS.WriteStream
  /** Milliseconds, of any start. */
  now?: () => number
}

const PLAIN_LINE_EVERY_MS = 30_000

/**
 * Shows how far the work is, from this call on: a bar on a terminal; elsewhere a plain line every 30 s at most;
 * nothing if `quiet`.
 */
export function createProgress({
  quiet,
  unit = 'text',
  stream = process.stderr,
  now = () => performance.now(),
}: ProgressOptions): Progress {
  if (quiet) return { update: () => {}, stop: () => {} }
  return stream.isTTY ? createBar(stream, now, unit) : createPlainLines(now, unit)
}

function createBar(stream: NodeJS.WriteStream, now: () => number, unit: Unit): Progress {
  const startMs = now()
  let state: Pick<ProgressState, 'done' | 'total' | 'remark'> = { done: 0, total: null }
  const bar = new cliProgress.SingleBar({
    stream,
    format: () =>
      cleanLine(formatProgress({ ...state, unit, elapsedMs: now() - startMs, width: widthOf(stream) - 1 })),
    fps: 5,
    clearOnComplete: true,
    // leaves line wrapping and signals alone: neither needs mending when the process is killed
    linewrap: true,
    gracefulExit: false,
  })
  const show = () => bar.start(1, 0)
  show()
  setLiveLine({ hide: () => bar.stop(), show })
  return {
    update(done, total, remark) {
      state = { done, total, remark }
      bar.update(0)
    },
    stop() {
      setLiveLine(null)
      bar.stop()
    },
  }
}

function createPlainLines(now: () => number, unit: Unit): Progress {
  const startMs = now()
  let lastMs = startMs
  return {
    update(done, total, remark) {
      const nowMs = now()
      if (nowMs - lastMs < PLAIN_LINE_EVERY_MS) return
      lastMs = nowMs
      printNote(describeProgress({ done, total, remark, unit, elapsedMs: nowMs - startMs }))
    },
    stop() {},
  }
}

interface ProgressState {
  done: number
  total: number | null
  elapsedMs: number
  unit?: Unit
  remark?: string | undefined
}

/** One line of at most `width` columns: a bar if the total is known and there is room, then words. */
export function formatProgress({ width, ...state }: ProgressState & { width: number }): string {
  const all = describeProgress(state)
  // half a remark says nothing
  const words = all.length <= width ? all : describeProgress({ ...state, remark: undefined })
  const barWidth = Math.min(30, width - words.length - 1)
  if (state.total === null || barWidth < 5) return words.slice(0, width)
  const filled = Math.round(barWidth * shareOf(state.done, state.total))
  return `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)} ${words}`
}

/** `58 of 128 texts (45%), 3.1 texts/s, 23 s left`, as much of it as is known. */
export function describeProgress({ done, total, elapsedMs, unit = 'text', remark }: ProgressState): string {
  const quantity = (count: number) => formatQuantity(count, unit, unit === 'MB' ? unit : undefined)
  const parts = [
    total === null
      ? quantity(Math.floor(done))
      : `${formatCount(Math.floor(done))} of ${quantity(total)} (${Math.floor(100 * shareOf(done, total))}%)`,
  ]
  const perSecond = (1000 * done) / elapsedMs
  if (done > 0 && elapsedMs > 0) {
    parts.push(`${formatRate(perSecond)} ${unit === 'MB' ? unit : `${unit}s`}/s`)
    if (total !== null && total > done) parts.push(`${formatDuration((total - done) / perSecond)} left`)
  }
  return [...parts, ...(remark === undefined ? [] : [remark])].join(', ')
}

function shareOf(done: number, total: number): number {
  return total > 0 ? Math.min(1, done / total) : 1
}

function formatRate(perSecond: number): string {
  return perSecond >= 100 ? formatCount(Math.round(perSecond)) : perSecond.toPrecision(2)
}
