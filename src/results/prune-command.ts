import { basename, resolve } from 'node:path'
import { nameFlag } from '../base/name-option.js'
import { quoteForShell } from '../base/quote-for-shell.js'

/** A cut in words of the command line. */
export interface NamedCut {
  /** Folder or Hub id. */
  model: string
  revision?: string | null | undefined
  /** The flag that names the layers, with its value, and flags beside it. */
  cut: string[]
}

/** The command that makes a cut, as a POSIX shell reads it. */
export function formatPruneCommand({ model, revision, cut }: NamedCut): string {
  const output = `${basename(resolve(model), '.gguf')}-pruned`
  return formatCommand('prune', { model, revision, words: [...cut, '-o', output] })
}

/** A layerprune command for a model, quoted for a POSIX shell. */
export function formatCommand(
  command: string,
  { model, revision = null, words }: Omit<NamedCut, 'cut'> & { words: string[] },
): string {
  const of = [nameFlag('model'), model, ...(revision === null ? [] : [nameFlag('revision'), revision])]
  return ['layerprune', command, ...of, ...words].map(quoteForShell).join(' ')
}

/** The command that publishes a folder on the Hub under a name, once the user's own is filled in. */
export function formatUpload(name: string, folder: string): string {
  return ['hf', 'upload', `YOUR_NAME/${name}`, folder].map(quoteForShell).join(' ')
}
