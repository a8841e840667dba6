import { readFlag, readTokenId, refuseTokenizer, type Vocabulary } from './vocabulary.js'

const SPACE = '▁'
/** llama.cpp's default. */
const USUAL_UNKNOWN = 0

/** Parts of a tokenizer.json for SentencePiece's BPE, as in Llama 2: spaces become word characters, unknowns bytes. */
export function describeSentencePieces(vocabulary: Vocabulary): Record<string, unknown> {
  const added = new Set([...vocabulary.control, ...vocabulary.userDefined])
  const tokens = vocabulary.tokens.map((token, id) => (added.has(id) ? token : spellSpaces(token)))
  const hasPrefix = readFlag(vocabulary, 'add_space_prefix') ?? vocabulary.model === 'llama'
  const unknown = readTokenId(vocabulary, 'unknown') ?? USUAL_UNKNOWN
  return {
    normalizer: {
      type: 'Sequence',
      normalizers: [
        ...(hasPrefix ? [{ type: 'Prepend', prepend: SPACE }] : []),
        { type: 'Replace', pattern: { String: ' ' }, content: SPACE },
      ],
    },
    pre_tokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: SPACE }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(hasPrefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: 'BPE',
      unk_token: tokens[unknown] ?? null,
      byte_fallback: true,
      fuse_unk: true,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: vocabulary.merges ?? deriveMerges(vocabulary, tokens),
    },
  }
}

/** Runs of spaces are written as such in files of Gemma. */
function spellSpaces(token: string): string {
  return /^ +$/.test(token) ? SPACE.repeat(token.length) : token
}

/** The pairs of pieces that make a token, largest score first, in the order in which SentencePiece merges. */
function deriveMerges(vocabulary: Vocabulary, tokens: string[]): [left: string, right: string][] {
  const { scores } = vocabulary
  if (scores === undefined) throw refuseTokenizer(vocabulary, 'a tokenizer with neither merges nor scores')
  const known = new Set(tokens)
  const byScore = tokens.map((_, id) => id).sort((a, b) => scores[b]! - scores[a]! || a - b)
  return byScore.flatMap((id) => {
    const characters = [...tokens[id]!]
    const pairs: [string, string][] = []
    for (let cut = 1; cut < characters.length; cut++) {
      const [left, right] = [characters.slice(0, cut).join(''), characters.slice(cut).join('')]
      if (known.has(left) && known.has(right)) pairs.push([left, right])
    }
    return pairs
  })
}
