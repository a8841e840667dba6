import type { ChildProcess } from 'node:child_process'
import { LayerpruneError } from '../../base/errors.js'
import { startProcess } from '../../base/start-thread.js'
import type { TokenPrefix } from './tokenizer.js'

/**
 * What a tokenizer is asked for: the ids of a text, without special tokens if `maxLength` is null; the text of ids; the
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

interface Waiting {
  tokenizer: number
  folder: string
  resolve: (result: TokenizerResult) => void
  reject: (reason: unknown) => void
}

/** The one child of this process that serves all tokenizers. */
class Child {
  static #running: Child | null = null
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, Waiting>()

  static start(): Child {
    Child.#running ??= new Child()
    return Child.#running
  }

  private constructor() {
    this.#process = startProcess('texts/tokens/tokenizer-worker.js', {
      serialization: 'advanced',
      execArgv: [],
      // what a crash prints there helps nobody
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    this.#process.on('message', (answer: TokenizerAnswer) => {
      const waiting = this.#waiting.get(answer.number)
      // requests that were given up are answered too
      if (waiting === undefined) return
      const { resolve, reject } = waiting
      this.#forget(answer.number)
      if ('result' in answer) resolve(answer.result)
      else reject(new LayerpruneError(answer.failure, { hint: answer.hint }))
    })
    this.#process.on('error', () => this.#end())
    this.#process.on('exit', () => this.#end())
    this.#hold(false)
  }

  /** Whether it answers no more. */
  isEnded = false

  /** Rejects the requests to a tokenizer, and ends a child that no other waits for: it might never answer. */
  giveUp(tokenizer: number, reason: unknown): void {
    const given = [...this.#waiting].filter(([, waiting]) => waiting.tokenizer === tokenizer)
    for (const [number, { reject }] of given) {
      this.#forget(number)
      reject(reason)
    }
    if (given.length === 0 || this.#waiting.size > 0) return
    this.#leave()
    this.#process.kill('SIGKILL')
  }

  post(request: TokenizerRequest): void {
    if (!this.isEnded && this.#process.connected) this.#process.send(request, () => {})
  }

  /** Keeps this process alive until the answer arrives. */
  ask(request: Extract<TokenizerRequest, { number: number }>): Promise<TokenizerResult> {
    const { number, tokenizer, folder } = request
    const answer = new Promise<TokenizerResult>((resolve, reject) => {
      this.#waiting.set(number, { tokenizer, folder, resolve, reject })
    })
    // the caller may have stopped waiting when the child ends: no unhandled rejection then
    answer.catch(() => {})
    this.#hold(true)
    this.post(request)
    return answer
  }

  #forget(number: number): void {
    this.#waiting.delete(number)
    if (this.#waiting.size === 0) this.#hold(false)
  }

  /** Whether this process waits for the child before it ends. */
  #hold(holds: boolean): void {
    if (holds) {
      this.#process.ref()
      this.#process.channel?.ref()
    } else {
      this.#process.unref()
      this.#process.channel?.unref()
    }
  }

  #leave(): void {
    this.isEnded = true
    if (Child.#running === this) Child.#running = null
  }

  #end(): void {
    this.#leave()
    for (const [number, { folder, reject }] of this.#waiting) {
      this.#forget(number)
      reject(
        new LayerpruneError(`the tokenizer in ${folder} ended the process that was reading it`, {
          hint: 'it may be damaged: download it again, or name another with `tokenizer`',
        }),
      )
    }
  }
}

/** Lets the child load the library of tokenizers before the first of them is wanted. */
export function startTokenizerProcess(): void {
  Child.start()
}

/** Counts tokenizers and requests. */
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
  #child = Child.start()

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
    this.#child.post({ close: this.#tokenizer })
  }

  #giveUp = () => this.#child.giveUp(this.#tokenizer, this.#signal?.reason)

  #ask(task: TokenizerTask): Promise<TokenizerResult> {
    if (this.#child.isEnded) this.#child = Child.start()
    const [tokenizer, folder] = [this.#tokenizer, this.#folder]
    return this.#child.ask({ number: count++, tokenizer, folder, task })
  }
}
