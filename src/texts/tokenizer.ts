import { join } from 'node:path'
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers'
import { readJsonObject } from '../checkpoint/config.js'
import { isGguf } from '../checkpoint/gguf-names.js'
import { LayerpruneError } from '../errors.js'
import { readGgufHeader } from '../gguf/header.js'
import { describeTokenizer, type TokenizerFiles } from '../gguf/tokenizer/describe-tokenizer.js'
import { isObject } from '../is-object.js'
import { TextStart } from './text-start.js'
import type { Pipeline } from './token-model.js'

/** Text to token ids, with the special tokens that the model's own tokenizer adds, at most `maxLength` of them. */
export type Encode = (text: string, maxLength: number) => number[]

/** Likewise, in this thread or in another. */
export type EncodeAnywhere = (...text: Parameters<Encode>) => number[] | Promise<number[]>

/** A special token. */
export interface TokenPrefix {
  id: number
  /** As it is written in a text. */
  text: string
}

export interface Tokenizer {
  encode: Encode
  /** Without the special tokens, and whole. */
  encodePlain: (text: string) => number[]
  /** The token that begins a text, or else the one that ends it; null if there is neither. */
  findPrefix: () => TokenPrefix | null
  /** Token ids to text, special tokens omitted. */
  decode: (ids: number[]) => string
}

/**
 * Loads the tokenizer of a model folder, or of a GGUF file.
 *
 * Truncation is done here as Python's tokenizers do it: the text is cut and special tokens that follow it are kept.
 * @param place  the folder, or the file
 * @throws LayerpruneError if a part of the tokenizer is missing or not understood
 */
export async function loadTokenizer(place: string): Promise<Tokenizer> {
  const loaded = await (isGguf(place) ? loadFromGguf(place) : loadFromFolder(place))
  const { tokenizer } = loaded
  const encodePlain = (text: string) => tokenizer.encode(text, { add_special_tokens: false }).ids
  const trailing = countTrailing(tokenizer.encode('a').ids, encodePlain('a'))
  const start = new TextStart(tokenizer as unknown as Pipeline)
  return {
    encode(text, maxLength) {
      const ids = start.encode(text, maxLength)
      if (ids.length <= maxLength) return ids
      return [...ids.slice(0, maxLength - trailing), ...ids.slice(ids.length - trailing)]
    },
    encodePlain,
    findPrefix: () => findPrefix(loaded),
    decode: (ids) =>
      ids.length === 0
        ? ''
        : tokenizer.decode(ids, { skip_special_tokens: true, clean_up_tokenization_spaces: false }),
  }
}

interface Loaded {
  tokenizer: LibraryTokenizer
  /** What tokenizer_config.json holds. */
  config: Record<string, unknown>
}

function findPrefix({ tokenizer, config }: Loaded): TokenPrefix | null {
  for (const token of [config.bos_token, config.eos_token]) {
    const content = isObject(token) ? token.content : token
    const id = typeof content === 'string' ? tokenizer.token_to_id(content) : undefined
    if (id !== undefined) return { id, text: tokenizer.decode([id]) }
  }
  return null
}

async function loadFromFolder(folder: string): Promise<Loaded> {
  const what = `the tokenizer in ${folder}`
  const hint = 'the folder must hold tokenizer.json and tokenizer_config.json'
  const read = async (name: string) => {
    const content = await readJsonObject(join(folder, name))
    if (content) return content
    throw new LayerpruneError(`${what} cannot be loaded: ${name} is missing`, { hint })
  }
  const tokenizer = await read('tokenizer.json')
  return load({ tokenizer, config: await read('tokenizer_config.json') }, what, hint)
}

async function loadFromGguf(path: string): Promise<Loaded> {
  const files = describeTokenizer(await readGgufHeader(path))
  return load(files, `the tokenizer in ${path}`, 'download or convert the file again')
}

function load({ tokenizer, config }: TokenizerFiles, what: string, hint: string): Loaded {
  try {
    return { tokenizer: new LibraryTokenizer(tokenizer, config), config }
  } catch (cause) {
    throw refused(what, cause as Error, hint)
  }
}

function refused(what: string, cause: Error, hint: string): LayerpruneError {
  // the TypeError of a library about a missing part does not help a user
  const reason = cause instanceof TypeError ? 'a part of it is missing or damaged' : cause.message
  return new LayerpruneError(`${what} cannot be loaded: ${reason}`, { hint, cause })
}

/** How many special tokens follow the text's own. */
function countTrailing(special: number[], plain: number[]): number {
  for (let end = special.length; end >= plain.length; end--) {
    if (plain.every((id, index) => special[end - plain.length + index] === id)) return special.length - end
  }
  throw new LayerpruneError(
    'the tokenizer writes a text differently when it adds special tokens, which is not supported',
  )
}
