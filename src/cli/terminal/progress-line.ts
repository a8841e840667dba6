import { formatCount, formatDuration, formatQuantity } from '../../base/format-numbers.js'
import type { Progress } from '../../base/progress.js'

/** The contents of a progress line, apart from the elapsed time. */
export interface ProgressLine extends Progress {
  /** When the phase began, in milliseconds of any clock. */
  startedAtMs: number
  /** When it will end, by the same clock; null if that is unknown. */
  endsAtMs: number | null
  /** Null while unknown. */
  unitsPerSecond: number | null
}

const MOST_BAR = 30
const LEAST_BAR = 5

/** Remaining time from which seconds are not shown. */
const LONG_SECONDS = 3600

/** One line of at most `width` columns: a bar if the end is known and there is room, then words. */
export function formatProgress(line: ProgressLine, nowMs: number, width: number): string {
  const words = fitWords(line, nowMs, width)
  const share = line.share ?? shareOf(line)
  const barWidth = Math.min(MOST_BAR, width - words.length - 1)
  if (share === null || barWidth < LEAST_BAR) return words.slice(0, width)
  const filled = Math.round(barWidth * Math.min(1, share))
  return `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)} ${words}`
}

/** `distances: 58 of 128 texts (45%), 3.1 texts/s, 23 s left, then perplexity`, as much of it as is known. */
export function describeProgress(line: ProgressLine, nowMs: number): string {
  return joinWords(line, [...listWords(line, nowMs).values()])
}

type Part = 'counts' | 'detail' | 'rate' | 'left' | 'elapsed' | 'next'

/** Omitted first if there is no room; the rest says what the remaining time refers to. */
const OMITTED: Part[] = ['rate', 'detail', 'next', 'elapsed']
/** The same if only the detail is shown. */
const OMITTED_IF_UNCOUNTED: Part[] = ['next', 'elapsed']

function fitWords(line: ProgressLine, nowMs: number, width: number): string {
  const parts = listWords(line, nowMs)
  let words = joinWords(line, [...parts.values()])
  for (const part of line.unit === undefined ? OMITTED_IF_UNCOUNTED : OMITTED) {
    if (words.length <= width) return words
    if (part !== 'elapsed' || parts.has('left')) parts.delete(part)
    words = joinWords(line, [...parts.values()])
  }
  return words
}

function joinWords({ phase }: ProgressLine, words: string[]): string {
  return words.length === 0 ? phase : `${phase}: ${words.join(', ')}`
}

/** In the order of display. */
function listWords(line: ProgressLine, nowMs: number): Map<Part, string> {
  const { unit, unitsPerSecond, detail, next } = line
  const words = new Map<Part, string>()
  if (unit !== undefined) words.set('counts', describeCounts(line, unit))
  if (unit === undefined && detail !== undefined) words.set('detail', detail)
  if (unit !== undefined && unitsPerSecond !== null) {
    words.set('rate', `${formatRate(unitsPerSecond)} ${pluralOf(unit)}/s`)
  }
  setTimes(words, line, nowMs)
  if (unit !== undefined && detail !== undefined) words.set('detail', detail)
  if (next !== undefined) words.set('next', `then ${next}`)
  return words
}

function describeCounts({ done, total, isEstimate }: ProgressLine, unit: NonNullable<Progress['unit']>): string {
  const quantity = (count: number) => formatQuantity(count, unit, pluralOf(unit))
  if (total === null) return quantity(Math.floor(done))
  const percent = Math.floor(100 * (total > 0 ? Math.min(1, done / total) : 1))
  return `${formatCount(Math.floor(done))} of ${isEstimate ? 'about ' : ''}${quantity(total)} (${percent}%)`
}

function pluralOf(unit: NonNullable<Progress['unit']>): string {
  if (unit === 'matrix') return 'matrices'
  return unit === 'MB' ? unit : `${unit}s`
}

/** The remaining time, or the elapsed time if that is more informative. */
function setTimes(words: Map<Part, string>, line: ProgressLine, nowMs: number): void {
  const { startedAtMs, endsAtMs, isMost, unit } = line
  const isEnding = endsAtMs !== null && shareOf(line) !== 1
  const seconds = isEnding ? (endsAtMs - nowMs) / 1000 : null
  if (seconds !== null) words.set('left', `${isMost ? 'at most ' : ''}${formatLeft(seconds)} left`)
  // what is left does not change each second: an end that moves back may hold it, and without counts nothing else moves
  const isStill = seconds === null || seconds < 0 || seconds >= LONG_SECONDS
  if (isStill || unit === undefined) {
    words.set('elapsed', `${formatClock((nowMs - startedAtMs) / 1000)} elapsed`)
  }
}

/** `23 s`, `4 min 31 s`, `2 h 5 min`. */
function formatLeft(seconds: number): string {
  if (seconds < 99.5 || seconds >= LONG_SECONDS) return formatDuration(seconds)
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)} min ${whole % 60} s`
}

/** `0:03`, `12:40`, `1:02:03`. */
function formatClock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const two = (value: number) => String(value).padStart(2, '0')
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`
}

/** Share of the units done; null if unknown. */
export function shareOf({ done, total, share }: Progress): number | null {
  if (share !== undefined) return share
  if (total === null) return null
  return total > 0 ? Math.min(1, done / total) : 1
}

function formatRate(perSecond: number): string {
  return perSecond >= 100 ? formatCount(Math.round(perSecond)) : perSecond.toPrecision(2)
}
