import { AnsweringProcess } from '../../base/answering-process.js'
import { LayerpruneError } from '../../base/errors.js'
import type { TokenPrefix } from './tokenizer.js'

/**
 * What a tokenizer is asked for: the ids of a text, without special tokens if `maxLength` is null; the text of ids; the
 * token that begins a text; null asks only whether it can be loaded; `close` gives it up.
 */
export type TokenizerTask =
  | { text: string; maxLength: number | null; addSpecialTokens?: boolean }
  | { ids: number[] }
  | 'prefix'
  | 'close'
  | null

export interface TokenizerRequest {
  tokenizer: number
  folder: string
  task: TokenizerTask
}

/** Token ids of a text, or the text of token ids, or a token. */
export type TokenizerResult = number[] | string | TokenPrefix | null

type Child = AnsweringProcess<TokenizerRequest, TokenizerResult>

/** The one child of this process that serves all tokenizers. */
let running: Child | undefined

function startChild(): Child {
  if (running === undefined || running.isEnded) {
    running = new AnsweringProcess<TokenizerRequest, TokenizerResult>('texts/tokens/tokenizer-worker.js')
  }
  return running
}

/** Lets the child load the library of tokenizers before the first of them is wanted. */
export function startTokenizerProcess(): void {
  startChild()
}

let count = 0

/**
 * A tokenizer in a process of its own: texts are tokenised while the model runs, and a file that ends the process or
 * never finishes ends nothing else.
 */
export class TokenizerProcess {
  /** Settles once the tokenizer is loaded; rejects with a LayerpruneError if it cannot be. */
  readonly loaded: Promise<void>
  readonly #tokenizer = count++
  readonly #folder: string
  readonly #signal: AbortSignal | undefined
  #child = startChild()

  /**
   * @param folder  of the model, which holds tokenizer.json and tokenizer_config.json; or a GGUF file
   * @param signal  once it is aborted, pending requests are given up
   */
  constructor(folder: string, signal?: AbortSignal | undefined) {
    this.#folder = folder
    this.#signal = signal
    signal?.addEventListener('abort', this.#giveUp)
    this.loaded = this.#ask(null).then(() => {})
    this.loaded.catch(() => {})
  }

  /** Text to token ids, as a `Tokenizer` of the same folder does it. */
  encode = (text: string, maxLength: number, addSpecialTokens = true): Promise<number[]> =>
    this.#ask({ text, maxLength, addSpecialTokens }) as Promise<number[]>

  /** Token ids of a whole text without special tokens. */
  encodePlain = (text: string): Promise<number[]> => this.#ask({ text, maxLength: null }) as Promise<number[]>

  findPrefix = (): Promise<TokenPrefix | null> => this.#ask('prefix') as Promise<TokenPrefix | null>

  /** Token ids to text, special tokens omitted. */
  decode = (ids: number[]): Promise<string> => this.#ask({ ids }) as Promise<string>

  close(): void {
    this.#signal?.removeEventListener('abort', this.#giveUp)
    this.#child.tell(this.#request('close'))
  }

  #giveUp = () => this.#child.giveUp(this.#tokenizer, this.#signal?.reason)

  #ask(task: TokenizerTask): Promise<TokenizerResult> {
    if (this.#child.isEnded) this.#child = startChild()
    return this.#child.ask(this.#request(task), this.#tokenizer, this.#explainEnd)
  }

  #request(task: TokenizerTask): TokenizerRequest {
    return { tokenizer: this.#tokenizer, folder: this.#folder, task }
  }

  #explainEnd = () =>
    new LayerpruneError(`the tokenizer in ${this.#folder} ended the process that was reading it`, {
      hint: 'it may be damaged: download it again, or name another with `tokenizer`',
    })
}
