import { createGunzip } from 'node:zlib'
import { LayerpruneError } from '../../base/errors.js'
import { iterateTransform } from './transform.js'

/** Unpacks gzip data; throws LayerpruneError, with the file, if it is cut short or not gzip. */
export async function* gunzip(chunks: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  let packedBytes = 0
  async function* counted() {
    for await (const chunk of chunks) {
      packedBytes += chunk.length
      yield chunk
    }
  }
  try {
    yield* iterateTransform<Uint8Array>(counted(), createGunzip({ chunkSize: 1 << 18 }))
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'Z_BUF_ERROR') {
      throw new LayerpruneError(`${name}: cut short: the gzip data ends after ${packedBytes} bytes`, {
        cause,
      })
    }
    if (code?.startsWith('Z_')) throw new LayerpruneError(`${name}: not valid gzip data: ${message}`, { cause })
    throw cause
  }
}
