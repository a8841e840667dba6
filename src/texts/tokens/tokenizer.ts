import { join } from 'node:path'
import type { PreTrainedTokenizer } from '@huggingface/transformers'
import { LayerpruneError } from '../../base/errors.js'
import { isGguf } from '../../files/checkpoint/gguf-names.js'
import { assertRegularFile } from '../../files/checkpoint/regular-file.js'
import { readGgufHeader } from '../../files/gguf/header.js'
import { describeTokenizer } from '../../files/gguf/tokenizer/describe-tokenizer.js'
import { TextStart } from './text-start.js'
import type { Pipeline } from './token-model.js'

/** What a tokenizer is loaded from; the config if its own file does not state its kind. */
const FILES = ['tokenizer.json', 'tokenizer_config.json', 'config.json']

/**
 * Text to token ids, with the special tokens that the model's own tokenizer adds unless the text has them, at most
 * `maxLength` of them.
 */
export type Encode = (text: string, maxLength: number, addSpecialTokens?: boolean) => number[]

/** An `Encode` in this thread or another. */
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
 * Loads the tokenizer of a model folder, or of a GGUF file, through transformers.js.
 *
 * Truncation is done here as Python's tokenizers do it: the text is cut and special tokens that follow it are kept
 * (transformers.js cuts them off).
 * @param place  the folder, or the file
 * @throws LayerpruneError if a part of the tokenizer is missing or not understood
 */
export async function loadTokenizer(place: string): Promise<Tokenizer> {
  const tokenizer = await (isGguf(place) ? loadFromGguf(place) : loadFromFolder(place))
  const plain = tokenizer.encode('a', { add_special_tokens: false })
  const special = tokenizer.encode('a')
  const trailing = countTrailing(special, plain)
  const start = new TextStart(tokenizer._tokenizer as unknown as Pipeline)
  return {
    encode(text, maxLength, addSpecialTokens = true) {
      const ids = start.encode(text, maxLength, addSpecialTokens)
      if (ids.length <= maxLength) return ids
      const kept = addSpecialTokens ? trailing : 0
      return [...ids.slice(0, maxLength - kept), ...ids.slice(ids.length - kept)]
    },
    encodePlain: (text) => tokenizer.encode(text, { add_special_tokens: false }),
    findPrefix: () => findPrefix(tokenizer),
    decode: (ids) =>
      ids.length === 0
        ? ''
        : tokenizer.decode(ids, { skip_special_tokens: true, clean_up_tokenization_spaces: false }),
  }
}

function findPrefix(tokenizer: PreTrainedTokenizer): TokenPrefix | null {
  const id = tokenizer.bos_token_id ?? tokenizer.eos_token_id
  return id === undefined || id === null ? null : { id, text: tokenizer.decode([id]) }
}

async function loadFromFolder(folder: string): Promise<PreTrainedTokenizer> {
  for (const name of FILES) await assertRegularFile(join(folder, name))
  const { AutoTokenizer, env } = await import('@huggingface/transformers')
  env.allowRemoteModels = false
  return AutoTokenizer.from_pretrained(folder, { local_files_only: true }).catch((cause: Error) => {
    throw refused(
      `the tokenizer in ${folder}`,
      cause,
      'the folder must hold tokenizer.json and tokenizer_config.json',
    )
  })
}

async function loadFromGguf(path: string): Promise<PreTrainedTokenizer> {
  const { tokenizer, config } = describeTokenizer(await readGgufHeader(path))
  const { PreTrainedTokenizer } = await import('@huggingface/transformers')
  try {
    return new PreTrainedTokenizer(tokenizer, config)
  } catch (cause) {
    throw refused(`the tokenizer in ${path}`, cause as Error, 'download or convert the file again')
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
