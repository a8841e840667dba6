import type { ReadText } from '../../texts/tokens/windows.js'

/**
 * Length in UTF-8 bytes of a text's scored tokens, which are all but the first.
 *
 * A text of fewer tokens than `maxLength` counts with all its bytes. One that may have been cut there counts with
 * what its tokens decode to, a character that the cut splits counting as U+FFFD. Where the first token is no special
 * one, as in models without a token at the start of a text, the bytes that it decodes to are taken off.
 */
export async function countScoredBytes(
  { ids, sizeBytes }: ReadText,
  decode: (ids: number[]) => string | Promise<string>,
  maxLength: number,
): Promise<number> {
  const read = ids.length < maxLength ? sizeBytes : Math.min(sizeBytes, Buffer.byteLength(await decode(ids)))
  return read - Buffer.byteLength(await decode(ids.slice(0, 1)))
}
