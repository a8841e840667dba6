import { lstat, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isObject } from '../../base/is-object.js'
import { readText } from '../../base/read-text.js'
import { readYaml } from '../../base/read-yaml.js'
import { resolveInside } from './companion-files.js'

export const CARD = 'README.md'
/** Of a card; those of published models have a tenth. */
const MOST_CARD_BYTES = 1 << 24

export interface Card {
  /** YAML, without the lines of dashes around it; empty if there is none. */
  frontMatter: string
  body: string
}

/**
 * The card in a model's folder; empty if there is none.
 * @throws LayerpruneError if it cannot be read, or is a link out of the folder
 */
export async function readCard(folder: string): Promise<Card> {
  const isThere = await lstat(join(folder, CARD)).then(
    () => true,
    () => false,
  )
  if (!isThere) return splitFrontMatter('')
  const path = await resolveInside(folder, CARD)
  return splitFrontMatter((await stat(path)).isFile() ? ((await readText(path, MOST_CARD_BYTES)) ?? '') : '')
}

function splitFrontMatter(card: string): Card {
  const match = /^---\r?\n(.*?)^---[ \t]*\r?\n?/ms.exec(card)
  return match === null
    ? { frontMatter: '', body: card }
    : { frontMatter: match[1]!, body: card.slice(match[0].length) }
}

/**
 * What the card in a model's folder states of the model, by key; empty if it states nothing, or no YAML mapping.
 * @param onNote  says that it is no YAML
 * @throws LayerpruneError if the card cannot be read, or parsing it takes too much time or memory
 */
export async function readCardFacts(
  folder: string,
  onNote: ((message: string) => void) | undefined,
): Promise<Record<string, unknown>> {
  const { frontMatter } = await readCard(folder)
  // tabs are no YAML, but cards have them
  const text = frontMatter.replaceAll('\t', '  ')
  const what = `the front matter of the model's ${CARD}`
  const { value, errors } = await readYaml(text, what, { uniqueKeys: false })
  if (errors.length > 0) onNote?.(`${what} is ignored, as it is not YAML: ${errors[0]!.replace(/:$/, '')}`)
  return isObject(value) ? value : {}
}
