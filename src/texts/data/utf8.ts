import { LayerpruneError } from '../../base/errors.js'

const HINT = 'convert the file to UTF-8, for example with iconv'

const wholeDecoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Decodes bytes that must be UTF-8; a byte order mark at their start is dropped.
 * @param where  file and position, for the error
 * @throws LayerpruneError if they are not UTF-8
 */
export function decodeUtf8(bytes: Uint8Array, where: string): string {
  try {
    return wholeDecoder.decode(bytes)
  } catch (cause) {
    throw new LayerpruneError(`${where}: expected UTF-8 text, found other bytes`, { hint: HINT, cause })
  }
}

/** Decodes a stream of UTF-8 chunks, whose boundaries may split a character; otherwise as `decodeUtf8`. */
export async function* decodeUtf8Stream(chunks: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let offset = 0
  const decode = (chunk: Uint8Array | undefined) => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined })
    } catch (cause) {
      const message = `${name}: expected UTF-8 text, found other bytes after byte ${offset}`
      throw new LayerpruneError(message, { hint: HINT, cause })
    }
  }
  for await (const chunk of chunks) {
    yield decode(chunk)
    offset += chunk.length
  }
  yield decode(undefined)
}
