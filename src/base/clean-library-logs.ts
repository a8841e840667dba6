import { format } from 'node:util'
import { cleanLine } from './clean-text.js'

/**
 * Makes the console of this thread write only clean lines, only to stderr: libraries warn with names from files,
 * which may hold anything.
 */
export function cleanLibraryLogs(): void {
  const { error: write } = console
  const warn = (...words: unknown[]) => write('%s', `warning: ${cleanLine(format(...words))}`)
  Object.assign(console, { log: warn, info: warn, debug: warn, warn, error: warn })
}
