import { format } from 'node:util'
import { cleanLine } from './clean-text.js'

/** Makes the console of this thread write clean lines to stderr only: libraries warn with names from files. */
export function cleanLibraryLogs(): void {
  const { error: write } = console
  const warn = (...words: unknown[]) => write('%s', `warning: ${cleanLine(format(...words))}`)
  Object.assign(console, { log: warn, info: warn, debug: warn, warn, error: warn })
}
