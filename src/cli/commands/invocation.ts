import { quoteForShell } from '../../base/quote-for-shell.js'

/** A name that is not a layerprune command, with what to type instead. */
export interface Misnamed {
  problem: string
  hint: string
}

/** PruneMe's script; `similarity` accepts its flags. */
const PRUNEME_SCRIPT = /^layer_similarity(\.py)?$/
const NAMES_MODEL = /^--model([_-]path)?(=|$)/

/**
 * The arguments in the form that commander reads: none are `help`, `version` and `-v` are `--version`, `help NAME` is
 * `NAME --help`. A name that is no command is left alone, without what follows it, so that it is what is reported.
 * @param names  of all commands
 */
export function readInvocation(args: string[], names: string[]): string[] {
  const [first, second] = args
  if (first === undefined) return ['help']
  if (first === 'version' || first === '-v') return ['--version']
  const isHelp = first === 'help' && second !== undefined
  const name = isHelp ? second : first
  if (name === undefined || name === 'help' || name.startsWith('-')) return args
  if (!names.includes(name)) return [name]
  return isHelp ? [name, '--help'] : args
}

/** PruneMe's call, or flags without a command before them; undefined if it is neither. */
export function findMisnamed(args: string[]): Misnamed | undefined {
  const [first, ...others] = args
  if (first === undefined) return undefined
  const isPruneMe = PRUNEME_SCRIPT.test(first)
  if (!isPruneMe && !first.startsWith('-')) return undefined
  const flags = isPruneMe ? others : args
  const call = ['layerprune', 'similarity', ...flags].map(quoteForShell).join(' ')
  return {
    problem: isPruneMe ? `${first} is PruneMe's name for similarity` : `no command before ${first}`,
    hint: isPruneMe || NAMES_MODEL.test(first) ? call : 'name a command first, as in layerprune similarity --help',
  }
}
