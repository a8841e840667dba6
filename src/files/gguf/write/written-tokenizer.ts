import { LayerpruneError } from '../../../base/errors.js'
import { isObject } from '../../../base/is-object.js'
import type { TokenizerFiles } from '../tokenizer/describe-tokenizer.js'

/** A tokenizer to write, and what else the model's files say of it. */
export interface WrittenTokenizer extends TokenizerFiles {
  /** The content of chat_template.jinja; undefined if there is none. */
  chatTemplate?: string | undefined
  /** Keys of config.json. */
  model: Record<string, unknown>
}

export interface AddedToken {
  id: number
  content: string
  special: boolean
}

export interface TokenList {
  /** By id. */
  tokens: string[]
  types: number[]
}

export function refuseTokenizer(reason: string): LayerpruneError {
  return new LayerpruneError(`a GGUF file cannot hold this tokenizer: ${reason}`, {
    hint: 'export the model to ONNX, which uses tokenizer.json as it is',
  })
}

/** The parts of a normalizer or pre-tokenizer, in order. */
export function listSteps(part: unknown, list: 'normalizers' | 'pretokenizers'): Record<string, unknown>[] {
  if (!isObject(part)) return []
  const parts = part[list]
  return Array.isArray(parts) ? parts.filter(isObject).flatMap((each) => listSteps(each, list)) : [part]
}
