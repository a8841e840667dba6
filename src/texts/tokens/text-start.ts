import { LayerpruneError } from '../../base/errors.js'
import { formatCount, formatQuantity } from '../../base/format-numbers.js'
import type { Pipeline } from './token-model.js'
import { createWordStart, type WordStart } from './word-start.js'

/** An added token, or the words of the text between two of them. */
type Part = string | string[]

/** Where a text is cut first: few texts have more characters per token. */
const CHARACTERS_PER_TOKEN = 6
/**
 * Characters read after the cut, to see which words they change. One more than a multiple of all numbers up to 10:
 * digits that a pattern groups from their end are grouped differently then.
 */
const MARGIN = 2521
/** Characters of any text that may be looked at. */
const LEAST_LIMIT = 1 << 18

/** Characters of a text that messages show. */
const SHOWN_CHARACTERS = 40

/** The start of a character that no normalizer joins to what precedes it or moves before it; not a space. */
const STARTER =
  /^(?![\p{Lm}\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\ud7b0-\ud7ff\uff9e-\uffdc\u{16d40}-\u{16d7f}])[\p{L}\p{Nd}\p{P}\p{S}]/u
/** A starter that also settles whether a sigma before it ends a word, and so how it is lowercased. */
const CASED_STARTER = /^(?!\p{Case_Ignorable})[\p{Lu}\p{Ll}\p{Nd}]/u

/** Characters of a text that its first `count` tokens may depend on. */
export function mostCharacters(count: number): number {
  return Math.max(LEAST_LIMIT, 32 * count)
}

/**
 * Finds the first tokens of a text from its start, so that a text costs what its first tokens cost.
 *
 * The start is split into words twice, once up to a cut and once up to MARGIN characters after it. The words that
 * both have are words of the whole text, because
 * - the character after the cut is a letter, digit or sign that takes part in no composition or reordering with what
 *   precedes it (Unicode Standard Annex 15), that no stripping passes, and that settles the case of a sigma;
 * - patterns match runs of characters with a look at the next few, not at text MARGIN characters away: a run that
 *   ends before the cut is over, and one that continues across it is not a word of both.
 *
 * Of the word that continues across the cut, which without a pre-tokenizer is the whole text, those tokens are taken
 * that it has however it continues (see `createWordStart`). If these are too few, the cut is moved further on.
 */
export class TextStart {
  readonly #pipeline: Pipeline
  /** The pipeline up to the words. */
  readonly #splitter: { encode_text(text: string): Part[] }
  readonly #startWord: WordStart

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline
    this.#splitter = Object.create(pipeline, { model: { value: (words: string[]) => [words] } })
    this.#startWord = createWordStart(pipeline.model)
  }

  /**
   * Ids of a text: of the whole text, or of a start of at least `count` tokens.
   * @param addSpecialTokens  whether those that the tokenizer puts around a text are among them
   * @throws LayerpruneError if the tokens depend on text that is further away than `mostCharacters`
   */
  encode(text: string, count: number, addSpecialTokens = true): number[] {
    const tokens = this.#findStart(text, count)
    if (tokens === undefined) return this.#encodeWhole(text, count, addSpecialTokens)
    const known: Pipeline = Object.create(this.#pipeline, {
      encode_text: { value: (part: string | null) => (part === null ? null : tokens) },
    })
    return known.encode('', { add_special_tokens: addSpecialTokens }).ids
  }

  #encodeWhole(text: string, count: number, addSpecialTokens: boolean): number[] {
    const most = mostCharacters(count)
    const refused = (cause?: unknown) =>
      new LayerpruneError(
        `the text that begins with ${JSON.stringify(text.slice(0, SHOWN_CHARACTERS))}: expected to find its ` +
          `first ${formatQuantity(count, 'token')} in ${formatCount(most)} characters, found nothing that ` +
          'ends a token for certain',
        { hint: 'split the text, or remove it from the dataset', cause },
      )
    if (text.length > most) throw refused()
    try {
      return this.#pipeline.encode(text, { add_special_tokens: addSpecialTokens }).ids
    } catch (cause) {
      // the call stack of the library or of a pattern overflowed
      throw cause instanceof RangeError ? refused(cause) : cause
    }
  }

  /** The first tokens, at least `count`; undefined if they depend on the whole text. */
  #findStart(text: string, count: number): string[] | undefined {
    const limit = Math.min(text.length, mostCharacters(count)) - MARGIN
    for (let size = CHARACTERS_PER_TOKEN * count; size < limit; size *= 2) {
      const cut = findCut(text, size)
      if (cut === undefined) continue
      const tokens = this.#startTokens(this.#split(text, cut + MARGIN), this.#split(text, cut))
      if (tokens.length >= count) return tokens
    }
    return undefined
  }

  #split(text: string, end: number): Part[] {
    return this.#splitter.encode_text(text.slice(0, end))
  }

  /** Tokens that the parts of two starts of a text share; the last part of a start may continue in the text. */
  #startTokens(parts: Part[], others: Part[]): string[] {
    const { model } = this.#pipeline
    const tokens: string[][] = []
    for (const [index, part] of parts.entries()) {
      const other = others[index]
      const isLast = index === parts.length - 1
      if (typeof part === 'string') {
        if (isLast || part !== other) break
        tokens.push([part])
        continue
      }
      if (!Array.isArray(other)) break
      const most = Math.min(other.length, isLast ? part.length - 1 : part.length)
      const alike = countAlike(part, other, most)
      if (!isLast && alike === part.length && alike === other.length) {
        tokens.push(model._call(part))
        continue
      }
      tokens.push(this.#startOfWords(part, other, alike))
      break
    }
    return tokens.flat()
  }

  /** Tokens of the words up to `count`, and of the common part of the next one. */
  #startOfWords(words: string[], others: string[], count: number): string[] {
    const { model } = this.#pipeline
    const [word = '', other = ''] = [words[count], others[count]]
    const known = countAlike(word, other, Math.min(word.length, other.length))
    const pieces = [...model.encode(words.slice(0, count)), ...this.#startWord(word, known)]
    const fusing: typeof model = Object.create(model, { encode: { value: () => pieces } })
    const tokens = fusing._call([])
    // the last one may be fused with what follows
    return model.fuse_unk ? tokens.slice(0, -1) : tokens
  }
}

/** The last place up to `size`, and after half of it, at which the text can be cut. */
function findCut(text: string, size: number): number | undefined {
  const starter = text.slice(0, size).includes('Σ') ? CASED_STARTER : STARTER
  for (let cut = size; cut > size / 2; cut--) {
    if (starter.test(text.slice(cut, cut + 2))) return cut
  }
  return undefined
}

function countAlike(a: ArrayLike<string>, b: ArrayLike<string>, most: number): number {
  let count = 0
  while (count < most && a[count] === b[count]) count++
  return count
}
