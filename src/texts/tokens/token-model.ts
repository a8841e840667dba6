/**
 * What we use of the tokenizers of transformers.js (those of @huggingface/tokenizers), whose types keep most of it
 * private. A model turns words into pieces; what a word is has been decided before.
 */
export interface TokenModel {
  /** Words to tokens: what `encode` makes of them, unknown ones that follow each other fused. */
  _call(words: string[]): string[]
  encode(words: string[]): string[]
  /** Whether unknown tokens that follow each other become one. */
  fuse_unk: boolean
}

/** Byte pair encoding. */
export interface BpeModel extends TokenModel {
  merges: [left: string, right: string][]
  /** A word to pieces, whether or not they have ids. */
  bpe(word: string): string[]
  end_of_word_suffix?: string | null | undefined
  continuing_subword_suffix?: string | null | undefined
}

/** The most likely path through a lattice of all pieces that a word may be made of. */
export interface UnigramModel extends TokenModel {
  vocab: string[]
  tokenize(word: string): string[]
  populate_nodes(lattice: Lattice): void
}

export interface Lattice {
  /** Code points. */
  chars: string[]
  /** By the code point at which they begin. */
  begin_nodes: LatticeNode[][]
  piece(node: LatticeNode): string
}

export interface LatticeNode {
  pos: number
  length: number
  /** The node before it on the best path to it. */
  prev: LatticeNode | null
}

/** The whole way from a text to token ids. */
export interface Pipeline {
  model: TokenModel
  encode(text: string, options?: { add_special_tokens: boolean }): { ids: number[] }
  /** Tokens of the text itself, without the special ones around it. */
  encode_text(text: string): string[]
}

export function isBpe(model: TokenModel): model is BpeModel {
  return 'merges' in model
}

export function isUnigram(model: TokenModel): model is UnigramModel {
  return 'populate_nodes' in model
}
