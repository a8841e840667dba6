import { LayerpruneError } from '../../base/errors.js'
import type { TokenPrefix } from '../../texts/tokens/tokenizer.js'
import type { TaskRequest } from './documents.js'
import { stripEnd } from './python-text.js'

export interface TaskTokenizer {
  /** With the special tokens that the tokenizer adds. */
  encode(text: string): Promise<number[]>
  /** Without them. */
  encodePlain(text: string): Promise<number[]>
  /** Token before a text without context: the one that begins a text, or else ends one; null if there is none. */
  prefix: TokenPrefix | null
}

/** A continuation as it is scored: the tokens `ids` after token `from` of what is run. */
export interface EncodedRequest {
  /** Tokens to run: all but the last of the continuation. */
  input: number[]
  /** Place of the token after which the first of the continuation stands. */
  from: number
  ids: number[]
  /** Tokens of the context that were cut off at its start. */
  cut: number
}

/**
 * Tokenizes contexts with their continuations as lm-evaluation-harness does: both as one text, and what the context
 * alone lacks belongs to the continuation, spaces at its end too. Each context is tokenized once.
 */
export class RequestEncoder {
  readonly #tokenizer: TaskTokenizer
  readonly #maxLength: number
  readonly #contexts = new Map<string, Promise<number[]>>()

  /** @param maxLength  tokens that the model can take */
  constructor(tokenizer: TaskTokenizer, maxLength: number) {
    this.#tokenizer = tokenizer
    this.#maxLength = maxLength
  }

  /** @throws LayerpruneError if the continuation has no token of its own, or more than the model can take */
  async encode(request: TaskRequest, origin: string): Promise<EncodedRequest> {
    const [context, continuation] = await this.#encodePair(request)
    const all = [...context, ...continuation]
    if (context.length === 0 || continuation.length === 0) {
      throw new LayerpruneError(
        `${origin}: the tokenizer gives ${JSON.stringify(request.continuation)} no token after its context`,
      )
    }
    if (continuation.length > this.#maxLength) {
      throw new LayerpruneError(
        `${origin}: a choice of ${continuation.length} tokens, the model takes ${this.#maxLength} at most`,
      )
    }
    const start = Math.max(0, all.length - this.#maxLength - 1)
    const input = all.slice(start, -1)
    return { input, from: input.length - continuation.length, ids: continuation, cut: start }
  }

  async #encodePair({ context, continuation }: TaskRequest): Promise<[context: number[], continuation: number[]]> {
    if (context === '') return this.#encodeAlone(continuation)
    const stripped = stripEnd(context)
    const before = await this.#encodeContext(stripped)
    const whole = await this.#encodeText(context + continuation)
    return [before, whole.slice(before.length)]
  }

  /** Without a context the first token follows the one that begins a text. */
  async #encodeAlone(continuation: string): Promise<[context: number[], continuation: number[]]> {
    const { prefix } = this.#tokenizer
    if (prefix === null) {
      throw new LayerpruneError('a choice has no context, and the tokenizer no token that begins or ends a text')
    }
    const ids = await this.#tokenizer.encodePlain(continuation)
    return ids[0] === prefix.id ? [ids.slice(0, 1), ids.slice(1)] : [[prefix.id], ids]
  }

  #encodeContext(context: string): Promise<number[]> {
    const known = this.#contexts.get(context) ?? this.#encodeText(context)
    this.#contexts.set(context, known)
    return known
  }

  /** A text that begins with the token that begins a text gets no other. */
  #encodeText(text: string): Promise<number[]> {
    const { prefix, encode, encodePlain } = this.#tokenizer
    return prefix !== null && prefix.text !== '' && text.startsWith(prefix.text) ? encodePlain(text) : encode(text)
  }
}
