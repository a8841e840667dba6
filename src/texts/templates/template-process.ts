import { AnsweringProcess } from '../../base/answering-process.js'
import { LayerpruneError } from '../../base/errors.js'
import { formatCount } from '../../base/format-numbers.js'

/** Characters of a template; those of published models have tens of thousands at most. */
const MOST_CHARACTERS = 1 << 20
/** V8 ends a process that needs more. */
const HEAP_MIB = 768
/** Longer than the interpreter lets a template run: the rest are stuck in one of its functions. */
const LONGEST_MS = 7000

interface AskOptions {
  /** What fails, for messages: the template and what it writes. */
  what: string
  hint?: string
  /** Once it is aborted, the request is given up. */
  signal?: AbortSignal | undefined
}

/**
 * A process in which strangers' templates run: one that never ends or fills the memory ends nothing else. It starts with
 * the first request, and again if it was ended.
 */
export class TemplateProcess<Request, Result> {
  readonly #file: string
  #running: AnsweringProcess<Request, Result> | undefined

  /** @param file  of the worker, as `startProcess` takes it */
  constructor(file: string) {
    this.#file = file
  }

  /** @throws LayerpruneError if the template fails or exceeds a limit */
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

/** @throws LayerpruneError if a template is longer than any that is meant well */
export function assertTemplateLength(template: string, what: string): void {
  if (template.length <= MOST_CHARACTERS) return
  throw new LayerpruneError(
    `${what}: expected at most ${formatCount(MOST_CHARACTERS)} characters, found ${formatCount(template.length)}`,
  )
}
