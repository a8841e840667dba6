import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import { LayerpruneError } from './errors.js'
import { startProcess } from './start-thread.js'

/** A request as the process gets it; one without a number gets no answer. */
export interface NumberedRequest<Request> {
  number: number | null
  request: Request
}

export type NumberedAnswer<Result> = { number: number } & (
  | { result: Result }
  | { failure: string; hint: string | undefined }
)

/** How a process ended that had not answered: by itself, or because it took too long. */
export type EarlyEnd = 'exit' | 'time'

interface Waiting<Result> {
  asker: unknown
  resolve: (result: Result) => void
  reject: (reason: unknown) => void
  explainEnd: (end: EarlyEnd) => LayerpruneError
}

interface AnsweringOptions {
  /** Flags of Node. */
  flags?: string[]
  /** Time without an answer after which the process is ended, in ms; unlimited if omitted. */
  longestMs?: number
  /** Whether it has a pipe too, for contents that are too large for messages. */
  hasPipe?: boolean
}

/** The process's end of the pipe. */
export const PIPE_DESCRIPTOR = 4

const TICK_MS = 250

/**
 * A process of its own for what may bring it down or hold its thread for long: it answers requests one after the other,
 * and nothing else ends with it. Its file calls `answerRequests`.
 */
export class AnsweringProcess<Request, Result> {
  /** Whether it answers no more. */
  isEnded = false
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, Waiting<Result>>()
  readonly #longestMs: number
  #count = 0
  /** Ticks since it last answered or was asked after a rest. */
  #ticks = 0
  #clock: NodeJS.Timeout | undefined

  /** @param file  as `startProcess` takes it */
  constructor(file: string, { flags = [], longestMs = Infinity, hasPipe = false }: AnsweringOptions = {}) {
    this.#longestMs = longestMs
    this.#process = startProcess(file, {
      serialization: 'advanced',
      execArgv: flags,
      // what a crash prints there helps nobody
      stdio: ['ignore', 'ignore', 'ignore', 'ipc', ...(hasPipe ? (['pipe'] as const) : [])],
    })
    this.#process.on('message', (answer: NumberedAnswer<Result>) => this.#receive(answer))
    this.#process.on('error', () => this.#end('exit'))
    this.#process.on('exit', () => this.#end('exit'))
    this.pipe?.unref()
    // a write fails if the process has ended; the requests that wait get that error
    this.pipe?.on('error', () => {})
    this.#hold(false)
  }

  /** This process's end of the pipe; undefined if there is none. It does not keep this process alive. */
  get pipe(): Socket | undefined {
    return this.#process.stdio[PIPE_DESCRIPTOR] as Socket | undefined
  }

  /**
   * Keeps this process alive until the answer arrives.
   * @param asker       whose requests `giveUp` rejects together
   * @param explainEnd  the error if the process ends before it answers
   * @throws LayerpruneError with which the request was answered
   */
  ask(request: Request, asker: unknown, explainEnd: (end: EarlyEnd) => LayerpruneError): Promise<Result> {
    const number = this.#count++
    const answer = new Promise<Result>((resolve, reject) => {
      this.#waiting.set(number, { asker, resolve, reject, explainEnd })
    })
    // the caller may have stopped waiting when the process ends: no unhandled rejection then
    answer.catch(() => {})
    if (this.#waiting.size === 1) this.#hold(true)
    this.#send({ number, request })
    return answer
  }

  /** Sends what needs no answer. */
  tell(request: Request): void {
    this.#send({ number: null, request })
  }

  /** Rejects the requests of one asker, and ends a process that no other waits for: it might never answer. */
  giveUp(asker: unknown, reason: unknown): void {
    const given = [...this.#waiting].filter(([, waiting]) => waiting.asker === asker)
    for (const [number, { reject }] of given) {
      this.#forget(number)
      reject(reason)
    }
    if (given.length > 0 && this.#waiting.size === 0) this.#kill()
  }

  /** Ends the process, whatever it does, and rejects the requests that wait. */
  end(reason: unknown): void {
    for (const [number, { reject }] of this.#waiting) {
      this.#forget(number)
      reject(reason)
    }
    this.#kill()
  }

  #send(message: NumberedRequest<Request>): void {
    if (!this.isEnded && this.#process.connected) this.#process.send(message, () => {})
  }

  #receive(answer: NumberedAnswer<Result>): void {
    this.#ticks = 0
    const waiting = this.#waiting.get(answer.number)
    // requests that were given up are answered too
    if (waiting === undefined) return
    this.#forget(answer.number)
    if ('result' in answer) waiting.resolve(answer.result)
    else waiting.reject(new LayerpruneError(answer.failure, { hint: answer.hint }))
  }

  #forget(number: number): void {
    this.#waiting.delete(number)
    if (this.#waiting.size === 0) this.#hold(false)
  }

  /** Whether this process waits for the other before it ends. */
  #hold(holds: boolean): void {
    if (holds) {
      this.#process.ref()
      this.#process.channel?.ref()
      this.#startClock()
    } else {
      this.#process.unref()
      this.#process.channel?.unref()
      clearInterval(this.#clock)
    }
  }

  /** Counts ticks, not time: an answer may have come while this process was stopped or its thread was held. */
  #startClock(): void {
    if (this.#longestMs === Infinity) return
    this.#ticks = 0
    this.#clock = setInterval(() => {
      if (++this.#ticks * TICK_MS < this.#longestMs) return
      this.#kill()
      this.#end('time')
    }, TICK_MS)
  }

  #kill(): void {
    this.isEnded = true
    this.#process.kill('SIGKILL')
  }

  #end(end: EarlyEnd): void {
    this.isEnded = true
    for (const [number, { explainEnd, reject }] of this.#waiting) {
      this.#forget(number)
      reject(explainEnd(end))
    }
  }
}

/**
 * Answers the requests that come to this process, each after the one before it has begun.
 * @param answer  its result is sent, or the message of what it throws
 */
export function answerRequests<Request, Result>(answer: (request: Request) => Promise<Result> | Result): void {
  // they reach the whole group of processes: the parent decides what becomes of this one
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {})
  process.on('disconnect', () => process.exit())
  process.on('message', async ({ number, request }: NumberedRequest<Request>) => {
    try {
      const result = await answer(request)
      if (number !== null) process.send?.({ number, result })
    } catch (error) {
      process.send?.({ number, failure: explain(error as Error), hint: (error as LayerpruneError).hint })
    }
  })
}

/** V8's own limits are RangeErrors. */
function explain(error: Error): string {
  if (!(error instanceof RangeError)) return error.message
  return /call stack/.test(error.message) ? 'it is nested too deeply' : 'it makes a text that is too long'
}
