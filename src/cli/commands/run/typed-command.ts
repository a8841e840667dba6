import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { quoteForShell } from '../../../base/quote-for-shell.js'
import { isRepoId } from '../../../files/hub/repo.js'

/** Does not change what is written. */
const DRY_RUN = '--dry-run'

/** The command line as typed, for a model card: without the private parts of paths and addresses. */
export function formatTypedCommand(words = process.argv.slice(2)): string {
  return formatWrittenCommand(words.map(withoutPlace))
}

/** The command line as typed, but so that it writes what it makes. */
export function formatWrittenCommand(words = process.argv.slice(2)): string {
  return ['layerprune', ...words.filter((word) => word !== DRY_RUN)].map(quoteForShell).join(' ')
}

function withoutPlace(word: string): string {
  const [, flag, value] = /^(--[\w-]+=)(.*)$/s.exec(word) ?? []
  if (flag !== undefined) return `${flag}${withoutPlace(value!)}`
  if (/^https?:\/\//i.test(word)) return word.replace(/(?<=^https?:\/\/)[^/]*@/i, '')
  if (!/[/\\]/.test(word) || (isRepoId(word) && !existsSync(word))) return word
  return basename(word)
}
