import { refuseTokenizer, type Vocabulary } from './vocabulary.js'
import { WORD_PATTERNS, type WordPatterns } from './word-patterns.js'

/**
 * Parts of a tokenizer.json for byte pair encoding of bytes, as GPT-2 has it.
 * @throws LayerpruneError if it is not known how the vocabulary splits texts into words
 */
export function describeByteLevel(vocabulary: Vocabulary): Record<string, unknown> {
  const { tokens, merges } = vocabulary
  const { patterns, ignoresMerges = false, composes } = findPatterns(vocabulary)
  if (merges === undefined) throw refuseTokenizer(vocabulary, 'a tokenizer without merges')
  return {
    normalizer: composes ? { type: 'NFC' } : null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        ...patterns.map((pattern) => ({
          type: 'Split',
          pattern: { Regex: pattern },
          behavior: 'Isolated',
          invert: false,
        })),
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      unk_token: null,
      byte_fallback: false,
      fuse_unk: false,
      ignore_merges: ignoresMerges,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  }
}

/** Whether texts start with the token for that, if the file does not say. */
export function startsTexts(vocabulary: Vocabulary): boolean {
  return findPatterns(vocabulary).startsTexts ?? false
}

function findPatterns(vocabulary: Vocabulary): WordPatterns {
  const name = vocabulary.header.metadata.get('tokenizer.ggml.pre')?.value
  if (typeof name === 'string' && Object.hasOwn(WORD_PATTERNS, name)) return WORD_PATTERNS[name]!
  throw refuseTokenizer(
    vocabulary,
    name === undefined
      ? 'a tokenizer without tokenizer.ggml.pre, which says how it splits texts'
      : `a tokenizer that splits texts as ${String(name)}`,
  )
}
