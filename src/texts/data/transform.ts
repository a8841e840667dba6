import { Readable, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** What a transform stream makes of the input, at the consumer's pace; an early end closes the input first. */
export async function* iterateTransform<T>(input: AsyncIterable<unknown>, transform: Transform): AsyncGenerator<T> {
  // Its errors also reach the consumer through the iteration, which is where they are thrown.
  const closed = pipeline(Readable.from(input, { highWaterMark: 1 }), transform).catch(() => undefined)
  try {
    for await (const item of transform) yield item
  } finally {
    transform.destroy()
    await closed
  }
}
