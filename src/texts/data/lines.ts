import { LayerpruneError } from '../../base/errors.js'
import { formatCount } from '../../base/format-numbers.js'
import { MAX_ROW_BYTES } from './row.js'
import { decodeUtf8 } from './utf8.js'

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/** Empty lines after one another: more come of a file made to take long, which is small when it is packed. */
const MOST_EMPTY = 1 << 20

/** A line without its end. */
export interface Line {
  text: string
  /** 1-based */
  number: number
}

/**
 * Splits a byte stream into lines that end in LF or CRLF; the last one may lack its end.
 * Holds one line and one chunk at a time.
 * @param maxLineBytes  a longer line is an error, so that a file without line ends cannot fill the memory
 * @throws LayerpruneError, with file and line, if a line is too long or not UTF-8, or after MOST_EMPTY empty lines
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  maxLineBytes = MAX_ROW_BYTES,
): AsyncGenerator<Line> {
  let number = 1
  let pending: Uint8Array[] = []
  let pendingBytes = 0
  let empty = 0

  const hold = (bytes: Uint8Array) => {
    pendingBytes += bytes.length
    if (pendingBytes > maxLineBytes) {
      throw new LayerpruneError(`${name}:${number}: expected a line of at most ${maxLineBytes} bytes, found more`)
    }
    pending.push(bytes)
  }
  const take = (): Line => {
    const bytes = pending.length === 1 ? pending[0]! : Buffer.concat(pending)
    // given up before the line is decoded, which may be long
    pending = []
    pendingBytes = 0
    empty = bytes.length > 1 ? 0 : empty + 1
    if (empty > MOST_EMPTY) {
      throw new LayerpruneError(`${name}:${number}: found ${formatCount(MOST_EMPTY)} empty lines after one another`)
    }
    const end = bytes.at(-1) === CARRIAGE_RETURN ? bytes.length - 1 : bytes.length
    return { text: decodeUtf8(bytes.subarray(0, end), `${name}:${number}`), number: number++ }
  }

  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      hold(chunk.subarray(start, end))
      yield take()
      start = end + 1
    }
    if (start < chunk.length) hold(chunk.subarray(start))
  }
  if (pendingBytes > 0) yield take()
}
