import type { Dispatcher } from 'undici'
import { TransientError } from './retry.js'

type Body = Dispatcher.ResponseData['body']

/** A server that sends less than this while we wait for it counts as lost. */
const MIN_BYTES_PER_SECOND = 1024
/** Up to this size an unwanted body is read to its end, to keep the connection. */
const MAX_DISCARDED_BYTES = 1 << 16

interface ReadOptions {
  /** Who sends it, for messages. */
  host: string
  /** Milliseconds of waiting after which the rate is judged. */
  windowMs: number
  explain: (cause: unknown) => Error
}

/**
 * A body in chunks; ending early closes the connection.
 * @throws TransientError if it breaks off or arrives too slowly
 */
export async function* readChunks(body: Body, { host, windowMs, explain }: ReadOptions) {
  const chunks: AsyncIterator<Buffer> = body[Symbol.asyncIterator]()
  let waitedMs = 0
  let receivedBytes = 0
  try {
    for (;;) {
      const startMs = performance.now()
      const { done, value } = await chunks.next().catch((cause: unknown) => {
        throw explain(cause)
      })
      if (done) return
      // a long wait may be for this process itself, which a model keeps busy
      waitedMs += Math.min(performance.now() - startMs, windowMs / 10)
      receivedBytes += value.length
      if (waitedMs >= windowMs) {
        if (receivedBytes < (MIN_BYTES_PER_SECOND * waitedMs) / 1000) {
          throw new TransientError(
            `${host}: the answer arrives too slowly, at less than ${MIN_BYTES_PER_SECOND} bytes per second`,
          )
        }
        waitedMs = 0
        receivedBytes = 0
      }
      yield value
    }
  } finally {
    body.destroy()
  }
}

/** Reads a short body to its end, so that its connection can be reused; cuts off a long or failing one. */
export async function discard(chunks: AsyncIterable<Buffer>): Promise<void> {
  let receivedBytes = 0
  try {
    for await (const chunk of chunks) {
      receivedBytes += chunk.length
      if (receivedBytes > MAX_DISCARDED_BYTES) return
    }
  } catch (error) {
    // nobody wanted it
    if (!(error instanceof TransientError)) throw error
  }
}
