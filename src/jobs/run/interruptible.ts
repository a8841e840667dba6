import { InterruptedError } from '../../base/errors.js'

/**
 * Runs a job that `signal` may stop at any place.
 * @param when  words that say when, where the job does not
 * @throws InterruptedError if it failed and `signal` was aborted
 */
export async function interruptible<T>(
  signal: AbortSignal | undefined,
  when: string,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    if (!signal?.aborted || cause instanceof InterruptedError) throw cause
    throw new InterruptedError(when)
  }
}
