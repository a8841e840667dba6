import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import type { Command } from 'commander'

/** Flags that do not change what is written, and those that name the model and the layers, which a card says apart. */
const OTHERS = new Set([
  ...['model', 'output', 'force', 'dryRun', 'json', 'quiet', 'threads', 'resume', 'samples', 'speed'],
  ...['start', 'end', 'drop', 'plan', 'from', 'layersToSkip'],
])

/**
 * The flags of `prune` that made a model what it is, as they are typed. Of files and folders here their names alone:
 * their paths are private once the model is published.
 */
export function listMakingFlags(command: Command): string[] {
  const values: Record<string, unknown> = command.opts()
  return command.options.flatMap((option) => {
    const value = values[option.attributeName()]
    if (value === undefined || OTHERS.has(option.attributeName())) return []
    if (value === true) return [option.long!]
    const texts = [value].flat().map(String)
    return [option.long!, ...texts.map((text) => quote(existsSync(text) ? basename(text) : text))]
  })
}

/** As a POSIX shell reads it. */
function quote(text: string): string {
  return /^[\w./:@=,+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
