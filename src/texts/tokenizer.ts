import { join } from 'node:path'
import { Tokenizer as Pipeline } from '@huggingface/tokenizers'
import { readJsonObject } from '../checkpoint/config.js'
import { isGguf } from '../checkpoint/gguf-names.js'
import { LayerpruneError } from '../errors.js'
import { readGgufHeader } from '../gguf/header.js'
import { describeTokenizer, type TokenizerFiles } from '../gguf/tokenizer/describe-tokenizer.js'
import { isObject } from '../is-object.js'
import { TextStart } from './text-start.js'
import type { Pipeline as TextPipeline } from './token-model.js'

/**
 * Text to token ids, with the special tokens that the model's own tokenizer adds unless the text has them, at most
 * `maxLength` of them.
 */
export type Encode = (text: string, maxLength: number, addSpecialTokens?: boolean) => number[]

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
 * Truncation is done here as Python's tokenizers do it: the text is cut, and special tokens that follow it are kept.
 * @param place  the folder, or the file
 * @throws LayerpruneError if a part of the tokenizer is missing or not understood
 */
export async function loadTokenizer(place: string): Promise<Tokenizer> {
  const { pipeline, config } = await (isGguf(place) ? openGguf(place) : openFolder(place))
  const encodePlain = (text: string) => pipeline.encode(text, { add_special_tokens: false }).ids
  const trailing = countTrailing(pipeline.encode('a').ids, encodePlain('a'))
  const start = new TextStart(pipeline as unknown as TextPipeline)
  return {
    encode(text, maxLength, addSpecialTokens = true) {
      const ids = start.encode(text, maxLength, addSpecialTokens)
      if (ids.length <= maxLength) return ids
      const kept = addSpecialTokens ? trailing : 0
      return [...ids.slice(0, maxLength - kept), ...ids.slice(ids.length - kept)]
    },
    encodePlain,
    findPrefix: () => findPrefix(pipeline, config),
    decode: (ids) =>
      ids.length === 0
        ? ''
        : pipeline.decode(ids, { skip_special_tokens: true, clean_up_tokenization_spaces: false }),
  }
}

function findPrefix(pipeline: Pipeline, config: TokenizerFiles['config']): TokenPrefix | null {
  const ids = [config.bos_token, config.eos_token].map((token) => {
    const text = isObject(token) ? token.content : token
    return typeof text === 'string' ? pipeline.token_to_id(text) : undefined
  })
  const id = ids[0] ?? ids[1]
  return id === undefined ? null : { id, text: pipeline.decode([id]) }
}

/** What turns texts into tokens, and what tokenizer_config.json says. */
interface Opened {
  pipeline: Pipeline
  config: TokenizerFiles['config']
}

async function openFolder(folder: string): Promise<Opened> {
  const what = `the tokenizer in ${folder}`
  const hint = 'the folder must hold tokenizer.json and tokenizer_config.json'
  const read = async (name: string) => {
    const content = await readJsonObject(join(folder, name))
    if (content === undefined) throw refused(what, new Error(`${name} is missing`), hint)
    return content
  }
  return open(
    what,
    { tokenizer: await read('tokenizer.json'), config: await read('tokenizer_config.json') },
    hint,
  )
}

async function openGguf(path: string): Promise<Opened> {
  const files = describeTokenizer(await readGgufHeader(path))
  return open(`the tokenizer in ${path}`, files, 'download or convert the file again')
}

function open(what: string, { tokenizer, config }: TokenizerFiles, hint: string): Opened {
  try {
    return { pipeline: new Pipeline(tokenizer, config), config }
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
