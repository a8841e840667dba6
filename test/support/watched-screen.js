/** The lowest line of a terminal, as far as progress bars use one. */
export class Screen {
  /** Lines that were ended. */
  lines = 0
  #cells = []
  #column = 0

  get line() {
    return this.#cells.join('').trimEnd()
  }

  /** @param {string} text  what a program writes, control sequences in one piece */
  write(text) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control sequences are what is read
    for (const [part, , parameters, final] of text.matchAll(/\u001b(\[([?\d;]*)([A-Za-z])|.)|[\s\S]/gu)) {
      if (final !== undefined) this.#control(parameters, final)
      else if (part === '\n') this.#endLine()
      else if (part === '\r') this.#column = 0
      else if (!part.startsWith('\u001b')) this.#cells[this.#column++] = part
    }
  }

  #control(parameters, final) {
    if (final === 'G') this.#column = Number(parameters || 1) - 1
    if (final !== 'K') return
    if (parameters === '2') this.#cells = []
    else this.#cells.length = Math.min(this.#cells.length, this.#column)
    for (let column = this.#cells.length; column < this.#column; column++) this.#cells[column] = ' '
  }

  #endLine() {
    this.lines++
    this.#cells = []
    this.#column = 0
  }
}

/** Rises of the time left that only rounding makes. */
const ROUNDING_SECONDS = 2

/** Seconds of `2 h 5 min left`, `4 min 31 s left` and `23 s left`; null if a line has none of them. */
export function readSecondsLeft(line) {
  const [text, hours = 0, minutes = 0, seconds = 0] =
    /(?:(\d+) h )?(?:(\d+) min ?)?(?:(\d+) s )?(?:left)/.exec(line) ?? []
  if (text === undefined || text === 'left') return null
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
}

/** What is being done: the words before the colon. */
function readPhase(line) {
  return /^[█░ ]*([^\d:][^:]*)?/.exec(line)[1]?.trim() ?? ''
}

/** What is being done, apart from work of the same name that has another extent. */
function readWork(line) {
  const [, total = ''] = / of ([\d,]+ \w+)/.exec(line) ?? []
  return `${readPhase(line)} ${total}`
}

/** A line without times, which pass whether anything is done or not. */
function withoutClocks(line) {
  return line.replace(/(\d+ (h|min|s) ?)+(left|elapsed)?|\d+:\d\d(:\d\d)?/g, '')
}

/**
 * @param {{ seconds: number, line: string, lines: number }[]} samples  what was seen, and when
 * @returns longest silence and longest time in which only clocks moved, in seconds; the largest rise of the time left,
 *   as a share of the least that a phase showed before, after the first tenth of the samples
 */
export function judgeSamples(samples) {
  const key = ({ lines, line }) => `${lines} ${line}`
  const silent = longestSame(samples, key)
  const idle = longestSame(samples, ({ lines, line }) => `${lines} ${withoutClocks(line)}`)
  const least = new Map()
  let rise = { share: 0, at: null }
  for (const { seconds, line } of samples.slice(Math.floor(samples.length / 10))) {
    const left = readSecondsLeft(line)
    if (left === null) continue
    const phase = readWork(line)
    const before = least.get(phase) ?? Infinity
    if (left > before + ROUNDING_SECONDS && left / before - 1 > rise.share) {
      rise = { share: left / before - 1, at: { seconds, before, left } }
    }
    least.set(phase, Math.min(before, left))
  }
  return {
    seconds: samples.at(-1)?.seconds ?? 0,
    silentSeconds: silent.seconds,
    silentAt: silent.at,
    idleSeconds: idle.seconds,
    idleAt: idle.at,
    rise: rise.share,
    riseAt: rise.at,
    phases: [...new Set(samples.map(({ line }) => readPhase(line)))].filter(Boolean),
  }
}

/** The longest stretch over which what `key` takes of the samples is the same. */
function longestSame(samples, key) {
  let longest = { seconds: 0, at: null }
  let start = samples[0]
  for (const sample of samples) {
    if (key(sample) !== key(start)) start = sample
    const seconds = sample.seconds - start.seconds
    if (seconds > longest.seconds) longest = { seconds, at: { seconds: start.seconds, line: start.line } }
  }
  return longest
}
