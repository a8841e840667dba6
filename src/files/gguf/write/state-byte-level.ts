import { findWordPatterns } from './find-word-patterns.js'
import { refuseTokenizer, type WrittenTokenizer } from './written-tokenizer.js'
import { type Statements, text, texts } from './written-value.js'

/**
 * Byte pair encoding of bytes, as GPT-2 has it.
 * @throws LayerpruneError if llama.cpp has no name for how it splits texts
 */
export function stateByteLevel({ tokenizer }: WrittenTokenizer, model: Record<string, unknown>): Statements {
  const pre = findWordPatterns(tokenizer, model)
  if (pre === undefined) throw refuseTokenizer('llama.cpp has no name for how it splits texts into words')
  return {
    'tokenizer.ggml.model': text('gpt2'),
    'tokenizer.ggml.pre': text(pre),
    'tokenizer.ggml.merges': texts(listMerges(model)),
  }
}

/** Pairs of pieces, whose own spaces are written as byte-level spaces. */
function listMerges({ merges }: Record<string, unknown>): string[] {
  return (Array.isArray(merges) ? merges : []).map((merge) =>
    Array.isArray(merge) ? merge.map((piece) => String(piece).replaceAll(' ', 'Ġ')).join(' ') : String(merge),
  )
}
