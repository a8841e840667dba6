import { LayerpruneError } from '../../../base/errors.js'
import { quoteName } from '../../checkpoint/safetensors-header.js'
import { damagedGguf, type GgufHeader, readArray } from '../header.js'
import type { Scalar } from '../metadata-values.js'

/** Kinds of tokens that a file tells apart. */
export const NORMAL = 1
export const UNKNOWN = 2
export const CONTROL = 3
export const USER_DEFINED = 4
export const UNUSED = 5
export const BYTE = 6

/** The tokenizer of a GGUF file, from its metadata. */
export interface Vocabulary {
  file: string
  /** `gpt2`, `llama` or another algorithm. */
  model: string
  /** By id. */
  tokens: string[]
  /** Pairs of pieces, the first to be merged first; undefined if the file has none. */
  merges: [left: string, right: string][] | undefined
  /** By id; the larger, the earlier a token is merged. */
  scores: number[] | undefined
  /** Ids of tokens that a text cannot hold otherwise, and of words that are never split. */
  control: number[]
  userDefined: number[]
  header: GgufHeader
}

const HINT = 'name the folder or the Hub id of the model it was converted from with `tokenizer`'

/** @throws LayerpruneError if the file has no vocabulary, or its lists do not fit each other */
export function readVocabulary(header: GgufHeader): Vocabulary {
  const { file } = header
  const model = header.metadata.get('tokenizer.ggml.model')?.value
  const tokens = readList(header, 'tokens', isText)
  if (typeof model !== 'string' || tokens === undefined) {
    throw new LayerpruneError(`${file} has no tokenizer`, { hint: HINT })
  }
  const sameLength = <T>(name: string, list: T[] | undefined): T[] | undefined => {
    if (list === undefined || list.length === tokens.length) return list
    throw damagedGguf(`${file}: tokenizer.ggml.${name} has ${list.length} elements for ${tokens.length} tokens`)
  }
  const types = sameLength('token_type', readList(header, 'token_type', isNumber)) ?? []
  const idsOf = (kind: number) => types.flatMap((type, id) => (type === kind ? [id] : []))
  return {
    file,
    model,
    tokens,
    merges: readList(header, 'merges', isText)?.map((merge) => splitMerge(merge, file)),
    scores: sameLength('scores', readList(header, 'scores', isNumber)),
    control: idsOf(CONTROL),
    userDefined: idsOf(USER_DEFINED),
    header,
  }
}

/** The id of a token with a role, such as `bos`; undefined if there is none. */
export function readTokenId({ header, tokens, file }: Vocabulary, role: string): number | undefined {
  const key = `tokenizer.ggml.${role}_token_id`
  const id = header.metadata.get(key)?.value
  if (id === undefined) return undefined
  if (typeof id === 'number' && id >= 0 && id < tokens.length) return id
  throw damagedGguf(`${file}: ${key} is ${String(id)}, expected one of its ${tokens.length} tokens`)
}

export function readFlag({ header, file }: Vocabulary, name: string): boolean | undefined {
  const value = header.metadata.get(`tokenizer.ggml.${name}`)?.value
  if (value === undefined || typeof value === 'boolean') return value
  throw damagedGguf(`${file}: tokenizer.ggml.${name} is ${String(value)}, expected a flag`)
}

export function refuseTokenizer({ file }: Vocabulary, what: string): LayerpruneError {
  return new LayerpruneError(`${file} has ${what}, which cannot be read`, { hint: HINT })
}

/** A piece may start with a space, and none has one inside. */
function splitMerge(merge: string, file: string): [left: string, right: string] {
  const space = merge.indexOf(' ', 1)
  if (space > 0) return [merge.slice(0, space), merge.slice(space + 1)]
  throw damagedGguf(`${file}: merge ${quoteName(merge)} is not a pair of pieces`)
}

function readList<T extends Scalar>(
  header: GgufHeader,
  name: string,
  accepts: (value: Scalar) => value is T,
): T[] | undefined {
  const list = readArray(header, `tokenizer.ggml.${name}`)
  if (list === undefined || list.every(accepts)) return list
  throw damagedGguf(`${header.file}: tokenizer.ggml.${name} has elements of another type`)
}

function isText(value: Scalar): value is string {
  return typeof value === 'string'
}

function isNumber(value: Scalar): value is number {
  return typeof value === 'number'
}
