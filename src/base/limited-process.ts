import { AnsweringProcess } from './answering-process.js'
import { LayerpruneError } from './errors.js'

/** V8 ends a process that needs more. */
const HEAP_MIB = 768
const LONGEST_MS = 7000

interface AskOptions {
  /** What fails, for messages: what the stranger's file was to give. */
  what: string
  hint?: string
  /** Once it is aborted, the request is given up. */
  signal?: AbortSignal | undefined
}

/**
 * A process for work on strangers' files that may never end or fill the memory: it is ended then, and nothing else with
 * it. It starts with the first request, and again if it was ended.
 */
export class LimitedProcess<Request, Result> {
  readonly #file: string
  #running: AnsweringProcess<Request, Result> | undefined

  /** @param file  of the worker, as `startProcess` takes it */
  constructor(file: string) {
    this.#file = file
  }

  /** @throws LayerpruneError if the work fails or exceeds a limit */
  async ask(request: Request, { what, hint, signal }: AskOptions): Promise<Result> {
    signal?.throwIfAborted()
    const running = this.#start()
    const giveUp = () => running.giveUp(request, signal!.reason)
    signal?.addEventListener('abort', giveUp)
    try {
      return await running.ask(request, request, (end) => {
        const limit = end === 'time' ? `takes longer than ${LONGEST_MS / 1000} seconds` : 'needs too much memory'
        return new LayerpruneError(`it ${limit}`)
      })
    } catch (cause) {
      if (signal?.aborted) throw cause
      throw new LayerpruneError(`${what}: ${(cause as Error).message}`, { ...(hint && { hint }), cause })
    } finally {
      signal?.removeEventListener('abort', giveUp)
    }
  }

  #start(): AnsweringProcess<Request, Result> {
    if (this.#running === undefined || this.#running.isEnded) {
      const flags = [`--max-old-space-size=${HEAP_MIB}`]
      this.#running = new AnsweringProcess<Request, Result>(this.#file, { flags, longestMs: LONGEST_MS })
    }
    return this.#running
  }
}
