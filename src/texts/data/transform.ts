import { Readable, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/**
 * Iterates over what a transform stream makes of the input, at the pace of the consumer.
 * An error on either side is thrown to the consumer; ending early closes the input before it returns.
 */
export async function* iterateTransform<T>(
  input: AsyncIterable<unknown>,
  transform: Transform,
): AsyncGenerator<T> {
  // Its errors also reach the consumer through the iteration, which is where they are thrown.
  const closed = pipeline(Readable.from(input, { highWaterMark: 1 }), transform).catch(() => undefined)
  try {
    for await (const item of transform) yield item
  } finally {
    transform.destroy()
    await closed
  }
}
