import { LayerpruneError } from '../../base/errors.js'
import { readLines } from './lines.js'
import { type DataRow, MAX_ROW_BYTES } from './row.js'
import { decodeUtf8Stream } from './utf8.js'

/** Reads plain text, one document per line; a line without text is an empty row. */
export async function* readTextLines(chunks: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<DataRow> {
  for await (const { text, number } of readLines(chunks, name)) yield { value: text, position: number }
}

/**
 * Reads plain text as one document, unchanged except for a byte order mark.
 * @param maxBytes  a longer file is an error
 * @throws LayerpruneError if the file is too long or not UTF-8
 */
export async function* readTextDocument(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  maxBytes = MAX_ROW_BYTES,
): AsyncGenerator<DataRow> {
  let sizeBytes = 0
  async function* limited() {
    for await (const chunk of chunks) {
      sizeBytes += chunk.length
      if (sizeBytes > maxBytes) {
        throw new LayerpruneError(`${name}: expected a document of at most ${maxBytes} bytes, found more`, {
          hint: '`textLines` reads one document per line instead of one per file',
        })
      }
      yield chunk
    }
  }
  const pieces: string[] = []
  for await (const piece of decodeUtf8Stream(limited(), name)) pieces.push(piece)
  yield { value: pieces.join(''), position: undefined }
}
