import type { Worker } from 'node:worker_threads'
import { LayerpruneError } from '../../base/errors.js'
import { startThread } from '../../base/start-thread.js'
import { mostCharacters } from './text-start.js'
import type { TokenPrefix } from './tokenizer.js'

/**
 * A request to a tokenizer: the ids of a text, without special tokens if `maxLength` is null; the text of ids; the
 * token that begins a text; null asks only whether it can be loaded.
 */
export type TokenizerTask =
  | { text: string; maxLength: number | null; addSpecialTokens?: boolean }
  | { ids: number[] }
  | 'prefix'
  | null

/** `close` gives a tokenizer up. */
export type TokenizerRequest =
  | { number: number; tokenizer: number; folder: string; task: TokenizerTask }
  | { close: number }

/** Token ids of a text, or the text of token ids, or a token. */
export type TokenizerResult = number[] | string | TokenPrefix | null

export type TokenizerAnswer = { number: number } & (
  | { result: TokenizerResult }
  | { failure: string; hint: string | undefined }
)

/** Heap for short-lived objects; V8 takes three times 16 MB if it may. */
const YOUNG_GENERATION_MB = 8

interface Waiting {
  tokenizer: number
  resolve: (result: TokenizerResult) => void
  reject: (reason: unknown) => void
}

/** The one thread of this process: it takes a third of a second to start, and serves all tokenizers. */
class Thread {
  static #running: Thread | null = null
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  #failure: Error | null = null

  static start(): Thread {
    Thread.#running ??= new Thread()
    return Thread.#running
  }

  private constructor() {
    this.#worker = startThread('texts/tokens/tokenizer-worker.js', {
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    })
    this.#worker.on('message', (answer: TokenizerAnswer) => {
      const waiting = this.#waiting.get(answer.number)
      // requests that were given up are answered too
      if (waiting === undefined) return
      const { resolve, reject } = waiting
      this.#waiting.delete(answer.number)
      if (this.#waiting.size === 0) this.#worker.unref()
      if ('result' in answer) resolve(answer.result)
      else reject(new LayerpruneError(answer.failure, { hint: answer.hint }))
    })
    this.#worker.on('error', (error) => {
      Thread.#running = null
      this.#failure = error
      for (const { reject } of this.#waiting.values()) reject(error)
    })
    this.#worker.unref()
  }

  /** Whether it was given up and answers no more. */
  isEnded = false

  /** Rejects the requests to a tokenizer, and ends a thread that no other waits for: it might never answer. */
  giveUp(tokenizer: number, reason: unknown): void {
    const given = [...this.#waiting].filter(([, waiting]) => waiting.tokenizer === tokenizer)
    for (const [number, { reject }] of given) {
      this.#waiting.delete(number)
      reject(reason)
    }
    if (given.length === 0 || this.#waiting.size > 0) return
    this.isEnded = true
    if (Thread.#running === this) Thread.#running = null
    void this.#worker.terminate()
  }

  post(request: TokenizerRequest): void {
    this.#worker.postMessage(request)
  }

  /** Keeps the process alive until the answer arrives. */
  ask(request: Extract<TokenizerRequest, { number: number }>): Promise<TokenizerResult> {
    this.#worker.ref()
    const { number, tokenizer } = request
    const answer = new Promise<TokenizerResult>((resolve, reject) => {
      if (this.#failure === null) this.#waiting.set(number, { tokenizer, resolve, reject })
      else reject(this.#failure)
    })
    // the caller may have stopped waiting when the worker fails: no unhandled rejection then
    answer.catch(() => {})
    this.post(request)
    return answer
  }
}

/** Lets the thread load the library of tokenizers before the first of them is wanted. */
export function startTokenizerThread(): void {
  Thread.start()
}

/** Counts tokenizers and requests. */
let count = 0

/** A tokenizer in another thread, so that texts are tokenised while the model runs. */
export class TokenizerThread {
  /** Settles once the tokenizer is loaded; rejects with a LayerpruneError if it cannot be. */
  readonly loaded: Promise<void>
  readonly #tokenizer = count++
  readonly #folder: string
  readonly #signal: AbortSignal | undefined
  #thread = Thread.start()

  /**
   * @param folder  of the model, which holds tokenizer.json and tokenizer_config.json
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
  encode = (text: string, maxLength: number, addSpecialTokens = true): Promise<number[]> => {
    // one more, so that the tokenizer sees that the text continues
    const start = text.slice(0, mostCharacters(maxLength) + 1)
    return this.#ask({ text: start, maxLength, addSpecialTokens }) as Promise<number[]>
  }

  /** Token ids of a text without special tokens. */
  encodePlain = (text: string): Promise<number[]> => this.#ask({ text, maxLength: null }) as Promise<number[]>

  findPrefix = (): Promise<TokenPrefix | null> => this.#ask('prefix') as Promise<TokenPrefix | null>

  /** Token ids to text, as a `Tokenizer` of the same folder does it. */
  decode = (ids: number[]): Promise<string> => this.#ask({ ids }) as Promise<string>

  close(): void {
    this.#signal?.removeEventListener('abort', this.#giveUp)
    this.#thread.post({ close: this.#tokenizer })
  }

  #giveUp = () => this.#thread.giveUp(this.#tokenizer, this.#signal?.reason)

  #ask(task: TokenizerTask): Promise<TokenizerResult> {
    if (this.#thread.isEnded) this.#thread = Thread.start()
    const [tokenizer, folder] = [this.#tokenizer, this.#folder]
    return this.#thread.ask({ number: count++, tokenizer, folder, task })
  }
}
