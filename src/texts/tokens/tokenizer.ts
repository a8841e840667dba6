import { AddedToken, type Encoding, Tokenizer as Tokenizers } from 'tokenizers'
import { LayerpruneError } from '../../base/errors.js'
import type { TokenizerFiles } from '../../files/gguf/tokenizer/describe-tokenizer.js'
import { encodeStart } from './text-start.js'
import { listAddedTokens, nameToken, readTokenizerFiles } from './tokenizer-files.js'

/**
 * Text to token ids, with the special tokens that the model's own tokenizer puts around it, at most `maxLength` of
 * them: the text is cut, and special tokens after it are kept.
 */
export type Encode = (text: string, maxLength: number, addSpecialTokens?: boolean) => number[] | Promise<number[]>

/** A special token. */
export interface TokenPrefix {
  id: number
  /** As it is written in a text. */
  text: string
}

export interface Tokenizer {
  encode: (...text: Parameters<Encode>) => Promise<number[]>
  /** Without the special tokens, and whole. */
  encodePlain: (text: string) => Promise<number[]>
  /** The token that begins a text, or else the one that ends it; null if there is neither. */
  findPrefix: () => TokenPrefix | null
  /** Token ids to text, special tokens omitted. */
  decode: (ids: number[]) => Promise<string>
}

/**
 * Loads the tokenizer of a model folder, or of a GGUF file, into Hugging Face's own tokenizers: the same code, and so
 * the same ids, as in Python. A damaged file can end the process that loads it: use a `TokenizerProcess` for files of
 * others.
 * @param place  the folder, or the file
 * @throws LayerpruneError if a part of the tokenizer is missing or not understood
 */
export async function loadTokenizer(place: string): Promise<Tokenizer> {
  const files = await readTokenizerFiles(place)
  const tokenizer = build(place, files)
  const [bos, eos] = [files.config.bos_token, files.config.eos_token].map((token) => findToken(tokenizer, token))
  const encode = async (text: string, addSpecialTokens: boolean): Promise<Encoding> =>
    tokenizer.encode(text, null, { addSpecialTokens })
  const { leading, trailing } = await findSpecialTokens(encode)
  return {
    async encode(text, maxLength, addSpecialTokens = true) {
      const [before, after] = addSpecialTokens ? [leading, trailing] : [[], []]
      const room = Math.max(0, maxLength - before.length - after.length)
      const ids = await encodeStart((part) => encode(part, false), text, room)
      const whole = [...before, ...ids.slice(0, room)]
      return [...whole.slice(0, maxLength - after.length), ...after]
    },
    encodePlain: async (text) => (await encode(text, false)).getIds(),
    findPrefix: () => bos ?? eos ?? null,
    decode: async (ids) => (ids.length === 0 ? '' : tokenizer.decode(ids, true)),
  }
}

function build(place: string, files: TokenizerFiles): Tokenizers {
  const { tokenizer: content } = files
  try {
    const tokenizer = Tokenizers.fromString(JSON.stringify(content))
    const added = listAddedTokens(files).map(
      ({ content, special, ...flags }) => new AddedToken(content, special, flags),
    )
    if (added.length > 0) tokenizer.addAddedTokens(added)
    assertIds(tokenizer, content.added_tokens)
    return tokenizer
  } catch (cause) {
    throw new LayerpruneError(`the tokenizer in ${place} cannot be loaded: ${(cause as Error).message}`, {
      hint: 'download the tokenizer again, or name another with `tokenizer`',
      cause,
    })
  }
}

/** An id that the vocabulary does not give is ignored by the library without a word. */
function assertIds(tokenizer: Tokenizers, added: unknown): void {
  for (const { content, id } of (Array.isArray(added) ? added : []) as { content: string; id: number }[]) {
    const given = tokenizer.tokenToId(content)
    if (given !== id) throw new Error(`${JSON.stringify(content)} has the id ${id}, its vocabulary gives ${given}`)
  }
}

function findToken(tokenizer: Tokenizers, named: unknown): TokenPrefix | undefined {
  const text = nameToken(named)
  const id = text === null ? null : tokenizer.tokenToId(text)
  return text === null || id === null ? undefined : { id, text }
}

/** Ids of the special tokens before and after any text. */
async function findSpecialTokens(
  encode: (text: string, addSpecialTokens: boolean) => Promise<Encoding>,
): Promise<{ leading: number[]; trailing: number[] }> {
  const plain = (await encode('a', false)).getIds()
  const special = (await encode('a', true)).getIds()
  for (let start = 0; start + plain.length <= special.length; start++) {
    if (plain.some((id, index) => special[start + index] !== id)) continue
    const [leading, trailing] = [special.slice(0, start), special.slice(start + plain.length)]
    const [other, whole] = [(await encode('b c', false)).getIds(), (await encode('b c', true)).getIds()]
    if ([...leading, ...other, ...trailing].join() === whole.join()) return { leading, trailing }
  }
  throw new LayerpruneError(
    'the tokenizer writes a text differently when it adds special tokens, which is not supported',
  )
}
