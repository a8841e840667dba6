import { LayerpruneError } from '../../base/errors.js'
import { parseJsonRow, pickColumn, readJsonl } from './jsonl.js'
import { type DataRow, MAX_ROW_BYTES, type ReadContext } from './row.js'
import { decodeUtf8 } from './utf8.js'

const EXPECTED = 'expected an array of objects, or one object per line'

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]
/** Where in the array the next byte lies: an element is `closed` until a comma or the end follows it. */
type ArrayState = 'before' | 'open' | 'element' | 'closed' | 'comma' | 'after'

/** White space before the first row is held until the first character shows the form. */
const MAX_LEADING_BYTES = 1 << 20

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/**
 * Reads a .json file: an array of objects, or JSON Lines, which many such files hold; the first character decides.
 * Holds one row and one chunk at a time. Positions are rows in an array, lines in JSON Lines.
 * @throws LayerpruneError, with file and position, if it is neither, or the first row lacks the column
 */
export async function* readJson(chunks: AsyncIterable<Uint8Array>, context: ReadContext): AsyncGenerator<DataRow> {
  const iterator = chunks[Symbol.asyncIterator]()
  async function* rest(start: Uint8Array) {
    yield start
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value
  }
  try {
    let head: Uint8Array = new Uint8Array(0)
    let first: number | undefined
    let next = await iterator.next()
    for (; !next.done; next = await iterator.next()) {
      head = Buffer.concat([head, next.value])
      first = withoutByteOrderMark(head).find((byte) => !isSpace(byte))
      if (head.length > MAX_LEADING_BYTES || (head.length >= BYTE_ORDER_MARK.length && first)) break
    }
    if (next.done && first === undefined) return
    head = withoutByteOrderMark(head)
    if (first === OPEN_ARRAY) yield* readArray(rest(head), context)
    else if (first === OPEN_OBJECT) yield* readObjectLines(rest(head), context)
    else throw new LayerpruneError(`${context.name}: ${EXPECTED}, found neither`)
  } finally {
    await iterator.return?.()
  }
}

async function* readObjectLines(chunks: AsyncIterable<Uint8Array>, context: ReadContext) {
  let isFirst = true
  try {
    for await (const row of readJsonl(chunks, context)) {
      isFirst = false
      yield row
    }
  } catch (cause) {
    if (!isFirst || !(cause instanceof LayerpruneError && cause.cause instanceof SyntaxError)) throw cause
    throw new LayerpruneError(`${context.name}: ${EXPECTED}, found an object over several lines`, { cause })
  }
}

async function* readArray(chunks: AsyncIterable<Uint8Array>, context: ReadContext): AsyncGenerator<DataRow> {
  let position = 0
  for await (const bytes of splitArray(chunks, context.name)) {
    position++
    const where = `${context.name}:${position}`
    const row = parseJsonRow(decodeUtf8(bytes, where), where)
    yield { value: pickColumn(row, context, position === 1), position }
  }
}

/**
 * Splits the text of a JSON array into the texts of its elements, which must be objects.
 * @param maxElementBytes  a longer element is an error
 * @throws LayerpruneError if brackets or commas are out of place or the array is not closed
 */
export async function* splitArray(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  maxElementBytes = MAX_ROW_BYTES,
): AsyncGenerator<Uint8Array> {
  let state = 'before' as ArrayState
  let row = 1
  let depth = 0
  let inString = false
  let escaped = false
  let parts: Uint8Array[] = []
  let heldBytes = 0
  const hold = (bytes: Uint8Array) => {
    heldBytes += bytes.length
    if (heldBytes > maxElementBytes) {
      throw new LayerpruneError(`${name}:${row}: expected a row of at most ${maxElementBytes} bytes, found more`)
    }
    parts.push(bytes)
  }

  for await (const chunk of chunks) {
    let start = 0
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!
      if (state === 'element') {
        if (escaped) escaped = false
        else if (inString) {
          if (byte === QUOTE) inString = false
          else if (byte === BACKSLASH) escaped = true
        } else if (byte === QUOTE) inString = true
        else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++
        else if ((byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) && --depth === 0) {
          hold(chunk.subarray(start, i + 1))
          yield parts.length === 1 ? parts[0]! : Buffer.concat(parts)
          parts = []
          heldBytes = 0
          row++
          state = 'closed'
        }
      } else if (isSpace(byte)) {
        // between elements
      } else if (state === 'before' && byte === OPEN_ARRAY) state = 'open'
      else if ((state === 'open' || state === 'comma') && byte === OPEN_OBJECT) {
        state = 'element'
        start = i
        depth = 1
      } else if (state === 'closed' && byte === COMMA) state = 'comma'
      else if ((state === 'open' || state === 'closed') && byte === CLOSE_ARRAY) state = 'after'
      else throw misplaced(name, row, state, byte)
    }
    if (state === 'element') hold(chunk.subarray(start))
  }
  if (state !== 'after') {
    throw new LayerpruneError(`${name}: cut short: the array is not closed after ${row - 1} whole rows`)
  }
}

function misplaced(name: string, row: number, state: ArrayState, byte: number): LayerpruneError {
  const found = byte > 0x20 && byte < 0x7f ? `'${String.fromCharCode(byte)}'` : `byte ${byte}`
  if (state === 'after') return new LayerpruneError(`${name}: expected the end after the array, found ${found}`)
  if (state === 'closed') {
    return new LayerpruneError(`${name}:${row - 1}: expected ',' or ']' after the row, found ${found}`)
  }
  return new LayerpruneError(`${name}:${row}: expected a JSON object, found ${found}`)
}

function withoutByteOrderMark(bytes: Uint8Array): Uint8Array {
  return BYTE_ORDER_MARK.every((byte, i) => bytes[i] === byte) ? bytes.subarray(BYTE_ORDER_MARK.length) : bytes
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)
}
