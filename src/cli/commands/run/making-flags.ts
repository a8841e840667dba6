import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import type { Command } from 'commander'

/** Flags that do not change the output, and those for the model and layers, which a card shows separately. */
const OTHERS = new Set([
  ...['model', 'output', 'force', 'dryRun', 'json', 'quiet', 'threads', 'resume', 'samples', 'speed', 'export'],
  ...['start', 'end', 'drop', 'plan', 'from', 'layersToSkip'],
])

/** The flags of `prune` that made a model, as typed; files and folders by name only, because paths are private. */
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

function quote(text: string): string {
  return /^[\w./:@=,+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
