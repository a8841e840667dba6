import { Worker } from 'node:worker_threads'
import { LayerpruneError } from '../errors.js'

export interface TokenizerRequest {
  text: string
  maxLength: number
}

/** The first tells that the tokenizer is loaded, with no ids; each after it answers a request, in their order. */
export type TokenizerAnswer = { ids: number[] } | { failure: string; hint: string | undefined }

/** Room for what is dropped soon; V8 takes three times 16 MB where it may. */
const YOUNG_GENERATION_MB = 8

interface Waiting {
  resolve: (ids: number[]) => void
  reject: (error: Error) => void
}

/** A tokenizer in a thread of its own, so that texts are made ready while the model runs. */
export class TokenizerThread {
  /** Settles once the tokenizer is loaded; rejects with a LayerpruneError where it cannot be. */
  readonly loaded: Promise<void>
  readonly #worker: Worker
  readonly #waiting: Waiting[] = []
  #failure: Error | null = null

  /** @param folder of the model, which holds tokenizer.json and tokenizer_config.json */
  constructor(folder: string) {
    // from the sources too it is the built file that a thread can run
    const file = new URL('../../dist/runtime/tokenizer-worker.js', import.meta.url)
    const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB }
    this.#worker = new Worker(file, { workerData: folder, resourceLimits })
    this.#worker.on('message', (answer: TokenizerAnswer) => {
      if ('failure' in answer) return this.#fail(new LayerpruneError(answer.failure, { hint: answer.hint }))
      this.#waiting.shift()!.resolve(answer.ids)
    })
    this.#worker.on('error', (error) => this.#fail(error))
    this.loaded = this.#wait().then(() => {})
    this.loaded.catch(() => {})
  }

  /** Text to token ids, as a `Tokenizer` of the same folder does it. */
  encode = (text: string, maxLength: number): Promise<number[]> => {
    this.#worker.postMessage({ text, maxLength } satisfies TokenizerRequest)
    return this.#wait()
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }

  #wait(): Promise<number[]> {
    const answer = new Promise<number[]>((resolve, reject) => {
      if (this.#failure !== null) reject(this.#failure)
      else this.#waiting.push({ resolve, reject })
    })
    // who asked may have given up by the time of a failure, which is told to whoever still waits
    answer.catch(() => {})
    return answer
  }

  #fail(error: Error): void {
    this.#failure = error
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}
