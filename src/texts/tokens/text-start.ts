import type { Encoding } from 'tokenizers'
import { LayerpruneError } from '../../base/errors.js'
import { formatCount } from '../../base/format-numbers.js'

/** Where a text is cut first: few texts have more characters per token. */
const CHARACTERS_PER_TOKEN = 6
/**
 * Characters read after the cut, to see which words they change. One more than a multiple of all numbers up to 10:
 * digits that a pattern groups from their end are grouped differently then.
 */
const MARGIN = 2521
/** Characters of a text that are encoded at most: some ten seconds. */
const MOST_CHARACTERS = 1 << 24

/** Characters of a text that messages show. */
const SHOWN_CHARACTERS = 40

/** The start of a character that no normalizer joins to what precedes it or moves before it; not a space. */
const STARTER =
  /^(?![\p{Lm}\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\ud7b0-\ud7ff\uff9e-\uffdc\u{16d40}-\u{16d7f}])[\p{L}\p{Nd}\p{P}\p{S}]/u
/** A starter that also settles whether a sigma before it ends a word, and so how it is lowercased. */
const CASED_STARTER = /^(?!\p{Case_Ignorable})[\p{Lu}\p{Ll}\p{Nd}]/u

/**
 * Ids of a text without special tokens: of the whole text, or of a start with at least `count` ids, so that a text costs
 * little more than its first tokens.
 *
 * The start is encoded twice, once up to a cut and once up to MARGIN characters after it. The words that both have are
 * words of the whole text, because
 * - the character after the cut is a letter, digit or sign that takes part in no composition or reordering with what
 *   precedes it (Unicode Standard Annex 15), that no stripping passes, and that settles the case of a sigma;
 * - patterns match runs of characters with a look at the next few, not at text MARGIN characters away: a run that
 *   ends before the cut is over, and one that continues across it is not a word of both.
 *
 * A tokenizer that does not split texts into words has one word only: the whole text is encoded then.
 * @throws LayerpruneError if the ids depend on more of the text than MOST_CHARACTERS
 */
export async function encodeStart(
  encode: (text: string) => Promise<Encoding>,
  text: string,
  count: number,
): Promise<number[]> {
  const limit = text.length - MARGIN
  for (let size = CHARACTERS_PER_TOKEN * (count + 1); size < limit; size *= 2) {
    const cut = findCut(text, size)
    if (cut === undefined) continue
    const [longer, shorter] = [await encode(text.slice(0, cut + MARGIN)), await encode(text.slice(0, cut))]
    const ids = commonWords(longer, shorter)
    if (ids.length >= count) return ids
    if (ids.length === 0) break
  }
  if (text.length > MOST_CHARACTERS) {
    throw new LayerpruneError(
      `the text that begins with ${JSON.stringify(text.slice(0, SHOWN_CHARACTERS))} is one word of over ${formatCount(MOST_CHARACTERS)} characters`,
      { hint: 'split the text, or remove it from the dataset' },
    )
  }
  return (await encode(text)).getIds()
}

/** The last place up to `size`, and after half of it, at which the text can be cut. */
function findCut(text: string, size: number): number | undefined {
  const starter = text.slice(0, size).includes('Σ') ? CASED_STARTER : STARTER
  for (let cut = size; cut > size / 2; cut--) {
    if (starter.test(text.slice(cut, cut + 2))) return cut
  }
  return undefined
}

/** Ids of the words with which both begin; the last word of a start may continue in the text. */
function commonWords(longer: Encoding, shorter: Encoding): number[] {
  const [ids, others] = [longer.getIds(), shorter.getIds()]
  const [words, otherWords] = [longer.getWordIds(), shorter.getWordIds()]
  let alike = 0
  while (alike < others.length && ids[alike] === others[alike] && words[alike] === otherWords[alike]) alike++
  if (alike === others.length) alike--
  // back to the start of the word
  const isStart = (index: number) => index <= 0 || words[index] !== words[index - 1] || words[index] == null
  while (!isStart(alike)) alike--
  return ids.slice(0, Math.max(0, alike))
}
