import { join } from 'node:path'
import type { AddedTokenOptions } from 'tokenizers'
import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'
import { readJsonObject } from '../../files/checkpoint/config.js'
import { isGguf } from '../../files/checkpoint/gguf-names.js'
import { readGgufHeader } from '../../files/gguf/header.js'
import { describeTokenizer, type TokenizerFiles } from '../../files/gguf/tokenizer/describe-tokenizer.js'

/** Tokens of a tokenizer_config.json that have a role. */
const ROLES = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'].map((role) => `${role}_token`)

/** A token that is found in a text before anything else, with its flags. */
export interface AddedTokenEntry extends Required<AddedTokenOptions> {
  content: string
  special: boolean
}

/**
 * tokenizer.json and tokenizer_config.json of a folder, or what a GGUF file says in their words.
 * @throws LayerpruneError if one is missing or not what it should be
 */
export async function readTokenizerFiles(place: string): Promise<TokenizerFiles> {
  if (isGguf(place)) return describeTokenizer(await readGgufHeader(place))
  const tokenizer = await readRequired(place, 'tokenizer.json')
  const config = await readRequired(place, 'tokenizer_config.json')
  spacePrefix(tokenizer, config)
  return { tokenizer: { ...tokenizer, truncation: null, padding: null }, config }
}

async function readRequired(folder: string, name: string): Promise<Record<string, unknown>> {
  const content = await readJsonObject(join(folder, name))
  if (content !== undefined) return content
  throw new LayerpruneError(`the tokenizer in ${folder} cannot be loaded: there is no ${name}`, {
    hint: 'the folder must hold tokenizer.json and tokenizer_config.json',
  })
}

/** In this class tokenizer_config.json decides whether a text begins with a space, whatever tokenizer.json states. */
function spacePrefix({ pre_tokenizer: part }: Record<string, unknown>, config: Record<string, unknown>): void {
  if (!/^GPT2Tokenizer(Fast)?$/.test(String(config.tokenizer_class)) || !isObject(part)) return
  const parts = Array.isArray(part.pretokenizers) ? part.pretokenizers : [part]
  for (const each of parts) {
    if (isObject(each) && each.type === 'ByteLevel') each.add_prefix_space = config.add_prefix_space === true
  }
}

/** Tokens that tokenizer_config.json adds to those of tokenizer.json, or whose flags it changes, as transformers does. */
export function listAddedTokens({ tokenizer, config }: TokenizerFiles): AddedTokenEntry[] {
  const stated = Array.isArray(tokenizer.added_tokens) ? tokenizer.added_tokens.filter(isObject).map(readEntry) : []
  const known = new Set(stated.map((entry) => JSON.stringify(entry)))
  const numbered = isObject(config.added_tokens_decoder) ? Object.entries(config.added_tokens_decoder) : []
  const changed = numbered
    .sort(([a], [b]) => Number(a) - Number(b))
    .flatMap(([, entry]) => (isObject(entry) && typeof entry.content === 'string' ? [readEntry(entry)] : []))
    .filter((entry) => !known.has(JSON.stringify(entry)))
  const byContent = new Map([...stated, ...changed].map((entry) => [entry.content, entry]))
  const extra = config.extra_special_tokens ?? config.additional_special_tokens
  const roles = [...ROLES.map((role) => config[role]), ...(Array.isArray(extra) ? extra : [])]
  const special = roles.flatMap((role) => {
    const content = nameToken(role)
    const entry = content === null ? undefined : byContent.get(content)
    if (content === null || entry?.special) return []
    const named = { ...(isObject(role) ? role : {}), content, special: true }
    const made = entry ? { ...entry, special: true } : readEntry(named)
    byContent.set(content, made)
    return [made]
  })
  return [...changed, ...special]
}

function readEntry(entry: Record<string, unknown>): AddedTokenEntry {
  const special = entry.special === true
  return {
    content: String(entry.content),
    special,
    singleWord: entry.single_word === true,
    leftStrip: entry.lstrip === true,
    rightStrip: entry.rstrip === true,
    normalized: typeof entry.normalized === 'boolean' ? entry.normalized : !special,
  }
}

/** The text of a token that a config names, by itself or with its flags; null if it names none. */
export function nameToken(value: unknown): string | null {
  if (typeof value === 'string') return value
  return isObject(value) && typeof value.content === 'string' ? value.content : null
}
