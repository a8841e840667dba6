import { inspect } from 'node:util'
import { cleanLine, cleanLines, cleanStrings, formatJson } from '../../base/clean-text.js'
import { isOutOfMemory, LayerpruneError } from '../../base/errors.js'
import { cleanPainted, hasTruecolor, paint, wantsColor } from './color.js'

/** A line at the bottom of stderr that is redrawn in place, such as a progress bar. */
export interface LiveLine {
  /** Takes the line off the screen, the cursor at its start. */
  hide(): void
  show(): void
}

/** An option as messages of the library name it, with a value or without. */
const NAMED_OPTION = /`([a-zA-Z]+)(?:: ([^`]+))?`/g

let quiet = false
let flags: ReadonlyMap<string, string> = new Map()
let liveLine: LiveLine | null = null

/** Silences notes, not warnings and failures. */
export function setQuiet(value: boolean): void {
  quiet = value
}

/** Makes notes, warnings and failures name options by their flags, such as `maxMemory` by `--max-memory`. */
export function setFlags(byOption: ReadonlyMap<string, string>): void {
  flags = byOption
}

/** Replaces the options that a message names by their flags. */
export function nameFlags(message: string): string {
  return message.replace(NAMED_OPTION, (named, option: string, value?: string) => {
    const flag = flags.get(option)
    if (flag === undefined) return named
    return value === undefined ? flag : `${flag} ${value}`
  })
}

/** Makes room for every printed line above the live line, until called with null. */
export function setLiveLine(line: LiveLine | null): void {
  liveLine = line
}

/**
 * Keeps a reader who leaves early (`| head`) from ending the process with a stack: the rest of the output is dropped,
 * and work and exit code are the same. Any other failure to write the result is printed and sets exit code 1.
 * Call it once, before anything is written.
 */
export function guardOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return
    process.exitCode = 1
    printFailure(new LayerpruneError(`cannot write to standard output: ${error.message}`, { cause: error }))
  })
  // without stderr nothing can be reported
  process.stderr.on('error', () => {})
}

/** The size and colours of a terminal. */
export interface Window {
  /** Columns. */
  width: number
  color: boolean
  /** Whether any RGB colour can be shown, not only those of `paint`. */
  truecolor: boolean
}

/** Prints a document as JSON with control characters escaped, or as text by `format`, which gets a clean copy. */
export function printDocument<T>(
  document: T,
  { json = false }: { json?: boolean | undefined },
  format: (document: T, window: Window) => string,
): Promise<void> {
  if (json) return writeResult(formatJson(document, 2))
  const color = wantsColor(process.stdout)
  const window = { width: widthOf(process.stdout), color, truecolor: color && hasTruecolor() }
  const text = format(cleanStrings(document), window)
  return writeResult(window.color ? cleanPainted(text) : cleanLines(text))
}

/** Prints text of any origin as the result; what could steer a terminal is replaced. */
export function printResult(text: string): Promise<void> {
  return writeResult(cleanLines(text))
}

/** Writes to stdout with a final newline; resolves once it is handed over. Do not call process.exit after it. */
function writeResult(text: string): Promise<void> {
  return aboveLiveLine(() => new Promise((resolve) => process.stdout.write(endLine(text), () => resolve())))
}

/** Prints something worth knowing to stderr; silent after setQuiet(true). */
export function printNote(text: string): void {
  if (!quiet) writeToStderr(cleanLine(nameFlags(text)))
}

/** Warns on stderr of something that may make the result different from what is expected. */
export function printWarning(text: string): void {
  writeToStderr(`${paint('yellow', 'warning:', wantsColor(process.stderr))} ${cleanLine(nameFlags(text))}`)
}

/** Prints to stderr why the program stops and what to do; LAYERPRUNE_DEBUG=1 adds the stack. */
export function printFailure(error: unknown): void {
  const color = wantsColor(process.stderr)
  writeToStderr(formatFailure(error, { debug: process.env.LAYERPRUNE_DEBUG === '1', color }))
}

/**
 * A failure as lines `error: what went wrong` and, if there is one, `hint: what to do`.
 * An error other than a LayerpruneError is a bug in layerprune, and its line says so.
 * @param debug  adds the stack and the causes
 */
export function formatFailure(error: unknown, { debug = false, color = false } = {}): string {
  const message = error instanceof Error ? error.message || error.name : String(error)
  const { kind, hint } = classifyFailure(error, debug)
  return [
    `${paint('red', 'error:', color)} ${kind}${cleanLine(nameFlags(message))}`,
    ...(hint === undefined ? [] : [`${paint('dim', 'hint:', color)} ${cleanLine(nameFlags(hint))}`]),
    ...(debug ? [cleanLines(inspect(error))] : []),
  ].join('\n')
}

function classifyFailure(error: unknown, debug: boolean): { kind: string; hint: string | undefined } {
  if (isOutOfMemory(error)) {
    const hint =
      'smaller --batch-size or --max-length, or --max-memory, take less; a limit such as ulimit -v counts too'
    return { kind: 'memory ran out: ', hint }
  }
  if (error instanceof LayerpruneError) return { kind: '', hint: error.hint }
  const hint = debug
    ? 'please report this with the lines below'
    : 'run it again with LAYERPRUNE_DEBUG=1 and report what it prints'
  return { kind: 'unexpected: ', hint }
}

export function widthOf(stream: { columns?: number }): number {
  return stream.columns || 80
}

function writeToStderr(text: string): void {
  aboveLiveLine(() => process.stderr.write(endLine(text)))
}

function aboveLiveLine<T>(write: () => T): T {
  liveLine?.hide()
  const written = write()
  liveLine?.show()
  return written
}

function endLine(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`
}
