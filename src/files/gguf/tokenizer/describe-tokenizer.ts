import type { GgufHeader } from '../header.js'
import { describeByteLevel, startsTexts } from './byte-level.js'
import { describeSentencePieces } from './sentence-pieces.js'
import { readFlag, readTokenId, readVocabulary, refuseTokenizer, type Vocabulary } from './vocabulary.js'

/** What tokenizer.json and tokenizer_config.json of a model hold. */
export interface TokenizerFiles {
  tokenizer: Record<string, unknown>
  config: Record<string, unknown>
}

/**
 * The tokenizer of a GGUF file in the words of the files that a checkpoint has.
 * @throws LayerpruneError if the file has none, or one of a kind that is not known
 */
export function describeTokenizer(header: GgufHeader): TokenizerFiles {
  const vocabulary = readVocabulary(header)
  const { tokens, control, userDefined } = vocabulary
  const special = new Set(control)
  const added = [...control, ...userDefined].sort((a, b) => a - b)
  const bos = readTokenId(vocabulary, 'bos')
  const eos = readTokenId(vocabulary, 'eos')
  const starts = (readFlag(vocabulary, 'add_bos_token') ?? startsUsually(vocabulary)) && bos !== undefined
  const ends = (readFlag(vocabulary, 'add_eos_token') ?? false) && eos !== undefined
  const around = [...(starts ? [bos] : []), null, ...(ends ? [eos] : [])]
  return {
    tokenizer: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: added.map((id) => ({
        id,
        content: tokens[id]!,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: special.has(id),
      })),
      ...describeModel(vocabulary),
      post_processor: describeTemplate(tokens, around),
    },
    config: {
      tokenizer_class: 'PreTrainedTokenizerFast',
      clean_up_tokenization_spaces: false,
      bos_token: bos === undefined ? null : tokens[bos],
      eos_token: eos === undefined ? null : tokens[eos],
    },
  }
}

function describeModel(vocabulary: Vocabulary): Record<string, unknown> {
  switch (vocabulary.model) {
    case 'gpt2':
      return describeByteLevel(vocabulary)
    case 'llama':
    case 'gemma4':
      return describeSentencePieces(vocabulary)
    default:
      throw refuseTokenizer(vocabulary, `a tokenizer of the kind ${vocabulary.model}`)
  }
}

/** Whether texts start with the token for that, if the file does not say. */
function startsUsually(vocabulary: Vocabulary): boolean {
  return vocabulary.model === 'gpt2' ? startsTexts(vocabulary) : true
}

/** @param parts ids of the tokens around the text, which is null */
function describeTemplate(tokens: string[], parts: (number | null)[]): Record<string, unknown> | null {
  const ids = parts.filter((id) => id !== null)
  if (ids.length === 0) return null
  return {
    type: 'TemplateProcessing',
    single: parts.map((id) =>
      id === null ? { Sequence: { id: 'A', type_id: 0 } } : { SpecialToken: { id: tokens[id], type_id: 0 } },
    ),
    pair: [],
    special_tokens: Object.fromEntries(
      ids.map((id) => [tokens[id], { id: tokens[id], ids: [id], tokens: [tokens[id]] }]),
    ),
  }
}
