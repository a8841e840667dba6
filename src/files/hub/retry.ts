import { setTimeout as sleep } from 'node:timers/promises'
import { LayerpruneError } from '../../base/errors.js'

/** A failure that may pass: worth trying again. */
export class TransientError extends Error {
  override name = 'TransientError'
  /** How long the server asks to wait; null if it does not say. */
  readonly retryAfterMs: number | null
  /** Whether the machine cannot connect at all, as if it had no network. */
  readonly isUnconnected: boolean

  constructor(
    message: string,
    {
      retryAfterMs = null,
      isUnconnected = false,
      cause,
    }: { retryAfterMs?: number | null; isUnconnected?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause })
    this.retryAfterMs = retryAfterMs
    this.isUnconnected = isUnconnected
  }
}

const FIRST_WAIT_MS = 300
const LONGEST_WAIT_MS = 10_000
/** A wait that is worth a line on the terminal. */
const NOTED_WAIT_MS = 3000
/** Fewer bytes than this between two failures do not count as progress. */
const PROGRESS_BYTES = 1 << 16

/** The network or the server kept failing past the retry limit. */
export class UnreachableError extends LayerpruneError {
  override name = 'UnreachableError'
}

interface RetryPolicyOptions {
  /** Milliseconds without progress after which to give up after a failure. */
  limitMs: (failure: TransientError) => number
  signal: AbortSignal | undefined
  onNote: ((message: string) => void) | undefined
}

/** When to try one thing again: waits longer after each failure, and gives up after a stated time without progress. */
export class RetryPolicy {
  #failures = 0
  #bytes = 0
  #deadlineMs = Number.POSITIVE_INFINITY
  readonly #what: string
  readonly #options: RetryPolicyOptions

  /** @param what  what fails, for messages: `cannot read X` */
  constructor(what: string, options: RetryPolicyOptions) {
    this.#what = what
    this.#options = options
  }

  /**
   * @param attempt  throws TransientError if another try makes sense
   * @throws LayerpruneError if the time is up
   */
  async persist<T>(attempt: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await attempt()
      } catch (error) {
        await this.waitAfter(error)
      }
    }
  }

  /** Counts bytes that arrived: enough of them restart the time. */
  addProgress(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes < PROGRESS_BYTES) return
    this.#failures = 0
    this.#deadlineMs = Number.POSITIVE_INFINITY
  }

  /**
   * Waits before the next try.
   * @throws the failure itself if it will not pass
   * @throws LayerpruneError if the time is up or the server asks for a longer wait
   */
  async waitAfter(failure: unknown): Promise<void> {
    if (!(failure instanceof TransientError)) throw failure
    const { signal, onNote } = this.#options
    signal?.throwIfAborted()
    const nowMs = performance.now()
    const limitMs = this.#options.limitMs(failure)
    this.#deadlineMs = Math.min(this.#deadlineMs, nowMs + limitMs)
    this.#bytes = 0
    this.#failures++
    const backoffMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (this.#failures - 1))
    const waitMs = failure.retryAfterMs ?? backoffMs * (0.75 + Math.random() / 2)
    if (nowMs + waitMs >= this.#deadlineMs) throw this.#giveUp(failure, limitMs)
    if (waitMs > NOTED_WAIT_MS) {
      onNote?.(`${this.#what}: ${failure.message}; trying again in ${Math.round(waitMs / 1000)} s`)
    }
    await sleep(waitMs, undefined, signal ? { signal } : {})
  }

  #giveUp(failure: TransientError, limitMs: number): LayerpruneError {
    const asked = failure.retryAfterMs
    const tries = this.#failures === 1 ? 'once' : `${this.#failures} times`
    const outcome =
      asked !== null && asked >= limitMs
        ? `, and asks to wait ${Math.ceil(asked / 1000)} s`
        : ` (tried ${tries}, given up after ${limitMs / 1000} s without progress)`
    return new UnreachableError(`${this.#what}: ${failure.message}${outcome}`, {
      hint: 'check the connection (HTTPS_PROXY is honoured) and run it again; what was downloaded is kept',
      cause: failure,
    })
  }
}
