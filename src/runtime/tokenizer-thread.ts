import type { Worker } from 'node:worker_threads'
import { LayerpruneError } from '../errors.js'
import { startThread } from '../start-thread.js'
import { mostCharacters } from './text-start.js'

/** A text to be encoded; null asks only whether the tokenizer can be loaded. `close` gives a tokenizer up. */
export type TokenizerRequest =
  | { number: number; tokenizer: number; folder: string; text: string | null; maxLength: number }
  | { close: number }

export type TokenizerAnswer = { number: number } & (
  | { ids: number[] }
  | { failure: string; hint: string | undefined }
)

/** Room for what is dropped soon; V8 takes three times 16 MB where it may. */
const YOUNG_GENERATION_MB = 8

interface Waiting {
  resolve: (ids: number[]) => void
  reject: (error: Error) => void
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
    this.#worker = startThread('runtime/tokenizer-worker.js', {
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    })
    this.#worker.on('message', (answer: TokenizerAnswer) => {
      const { resolve, reject } = this.#waiting.get(answer.number)!
      this.#waiting.delete(answer.number)
      if (this.#waiting.size === 0) this.#worker.unref()
      if ('ids' in answer) resolve(answer.ids)
      else reject(new LayerpruneError(answer.failure, { hint: answer.hint }))
    })
    this.#worker.on('error', (error) => {
      Thread.#running = null
      this.#failure = error
      for (const { reject } of this.#waiting.values()) reject(error)
    })
    this.#worker.unref()
  }

  post(request: TokenizerRequest): void {
    this.#worker.postMessage(request)
  }

  /** The process does not end before the answer is there. */
  ask(request: Extract<TokenizerRequest, { number: number }>): Promise<number[]> {
    this.#worker.ref()
    const answer = new Promise<number[]>((resolve, reject) => {
      if (this.#failure === null) this.#waiting.set(request.number, { resolve, reject })
      else reject(this.#failure)
    })
    // who asked may have given up by the time of a failure, which is told to whoever still waits
    answer.catch(() => {})
    this.post(request)
    return answer
  }
}

/** Counts tokenizers and requests. */
let count = 0

/** A tokenizer in another thread, so that texts are made ready while the model runs. */
export class TokenizerThread {
  /** Settles once the tokenizer is loaded; rejects with a LayerpruneError where it cannot be. */
  readonly loaded: Promise<void>
  readonly #tokenizer = count++
  readonly #folder: string
  readonly #thread = Thread.start()

  /** @param folder of the model, which holds tokenizer.json and tokenizer_config.json */
  constructor(folder: string) {
    this.#folder = folder
    this.loaded = this.#ask(null, 0).then(() => {})
    this.loaded.catch(() => {})
  }

  /** Text to token ids, as a `Tokenizer` of the same folder does it. */
  encode = (text: string, maxLength: number): Promise<number[]> =>
    // one more, so that the tokenizer sees that the text goes on
    this.#ask(text.slice(0, mostCharacters(maxLength) + 1), maxLength)

  close(): void {
    this.#thread.post({ close: this.#tokenizer })
  }

  #ask(text: string | null, maxLength: number): Promise<number[]> {
    const [tokenizer, folder] = [this.#tokenizer, this.#folder]
    return this.#thread.ask({ number: count++, tokenizer, folder, text, maxLength })
  }
}
