import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'
import { isGguf } from '../../files/checkpoint/gguf-names.js'
import { toStrictJson } from '../../files/checkpoint/python-json.js'
import { assertRegularFile } from '../../files/checkpoint/regular-file.js'
import { readGgufHeader } from '../../files/gguf/header.js'
import { describeTokenizer, type TokenizerFiles } from '../../files/gguf/tokenizer/describe-tokenizer.js'

/** Tokens of a tokenizer_config.json that have a role. */
const ROLES = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'].map((role) => `${role}_token`)

/** A token that is found in a text before anything else, with the flags of the `tokenizers` package. */
export interface AddedTokenEntry {
  content: string
  special: boolean
  single_word: boolean
  lstrip: boolean
  rstrip: boolean
  normalized: boolean
}

/**
 * tokenizer.json and tokenizer_config.json of a folder, or what a GGUF file says in their words.
 * @throws LayerpruneError if one is missing or not what it should be
 */
export async function readTokenizerFiles(place: string): Promise<TokenizerFiles> {
  if (isGguf(place)) return describeTokenizer(await readGgufHeader(place))
  const tokenizer = await readObject(place, 'tokenizer.json')
  const config = await readObject(place, 'tokenizer_config.json')
  spacePrefix(tokenizer, config)
  return { tokenizer: { ...tokenizer, truncation: null, padding: null }, config }
}

async function readObject(folder: string, name: string): Promise<Record<string, unknown>> {
  const path = join(folder, name)
  const failed = (reason: string, cause?: unknown) =>
    new LayerpruneError(`the tokenizer in ${folder} cannot be loaded: ${reason}`, {
      hint: 'the folder must hold tokenizer.json and tokenizer_config.json',
      cause,
    })
  await assertRegularFile(path)
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw failed(cause.code === 'ENOENT' ? `there is no ${name}` : cause.message, cause)
  })
  let content: unknown
  try {
    content = JSON.parse(toStrictJson(text))
  } catch (cause) {
    throw failed(`${name} is not JSON: ${(cause as Error).message}`, cause)
  }
  if (!isObject(content)) throw failed(`${name} holds no object`)
  return content
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
  const stated = Array.isArray(tokenizer.added_tokens) ? tokenizer.added_tokens.filter(isObject) : []
  const known = new Set(stated.map((entry) => JSON.stringify(readEntry(entry))))
  const numbered = isObject(config.added_tokens_decoder) ? Object.entries(config.added_tokens_decoder) : []
  const changed = numbered
    .sort(([a], [b]) => Number(a) - Number(b))
    .flatMap(([, entry]) => (isObject(entry) && typeof entry.content === 'string' ? [readEntry(entry)] : []))
    .filter((entry) => !known.has(JSON.stringify(entry)))
  const named = new Map([...stated.map(readEntry), ...changed].map((entry) => [entry.content, entry]))
  const extra = config.extra_special_tokens ?? config.additional_special_tokens
  const roles = [...ROLES.map((role) => config[role]), ...(Array.isArray(extra) ? extra : [])]
  const special = roles.flatMap((role) => {
    const content = nameToken(role)
    const entry = content === null ? undefined : named.get(content)
    if (content === null || entry?.special) return []
    const made = readEntry({ ...(isObject(role) ? role : {}), ...entry, content, special: true })
    named.set(content, made)
    return [made]
  })
  return [...changed, ...special]
}

function readEntry(entry: Record<string, unknown>): AddedTokenEntry {
  const special = entry.special === true
  return {
    content: String(entry.content),
    special,
    single_word: entry.single_word === true,
    lstrip: entry.lstrip === true,
    rstrip: entry.rstrip === true,
    normalized: typeof entry.normalized === 'boolean' ? entry.normalized : !special,
  }
}

/** The text of a token that a config names, by itself or with its flags; null if it names none. */
export function nameToken(value: unknown): string | null {
  if (typeof value === 'string') return value
  return isObject(value) && typeof value.content === 'string' ? value.content : null
}
