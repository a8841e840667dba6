/** What a user can do about a failure, and how the process ends. */
interface FailureOptions {
  /** The next thing to do, one short sentence without a final period. */
  hint?: string
  cause?: unknown
}

/**
 * A failure that the user can understand and act on: the command line prints `error: message` and, if
 * there is one, `hint: hint`, without a stack. The message says what, where, expected and found.
 */
export class LayerpruneError extends Error {
  override name = 'LayerpruneError'
  readonly hint: string | undefined
  /** Process exit code: 1 failed, 2 wrong usage, 130 interrupted. */
  readonly exitCode: number = 1

  constructor(message: string, { hint, cause }: FailureOptions = {}) {
    super(message, { cause })
    this.hint = hint
  }
}

/** The command line or the options of a call are wrong, whatever the files say. */
export class UsageError extends LayerpruneError {
  override name = 'UsageError'
  override readonly exitCode = 2
}

/** The caller asked to stop before the work was done. */
export class InterruptedError extends LayerpruneError {
  override name = 'InterruptedError'
  override readonly exitCode = 130

  /** @param done how many of `total` texts were measured, or words that say when the work was interrupted */
  constructor(done: number | string, total?: number | undefined) {
    const noun = (total ?? done) === 1 ? 'text' : 'texts'
    const texts = `after ${done}${total === undefined ? '' : ` of ${total}`} ${noun}`
    super(`interrupted ${typeof done === 'string' ? done : texts}`)
  }
}

/** Whether memory ran out, which V8, WebAssembly, the system and ONNX Runtime each report differently. */
export function isOutOfMemory(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code, syscall, cause, message } = error as NodeJS.ErrnoException
  if (code === 'ENOMEM' || code === 'ERR_WORKER_OUT_OF_MEMORY' || isOutOfMemory(cause)) return true
  // other messages may contain file names
  const isOfRuntime = syscall === undefined && !(error instanceof LayerpruneError)
  return isOfRuntime && /out of memory|bad_alloc|allocation failed|failed to allocate|cannot allocate/i.test(message)
}
