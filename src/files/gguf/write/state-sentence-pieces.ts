import { isObject } from '../../../base/is-object.js'
import { BYTE, NORMAL, UNKNOWN } from '../tokenizer/vocabulary.js'
import { listSteps, refuseTokenizer, type TokenList, type WrittenTokenizer } from './written-tokenizer.js'
import { flag, reals, type Statements, text } from './written-value.js'

const SPACE = '▁'
/** Of tokens that no merge makes, as llama.cpp's converter writes it. */
const ADDED_SCORE = -1000

/**
 * SentencePiece's BPE, as in Llama 2: spaces become word characters, unknown characters bytes. The kinds of tokens in
 * the list are completed.
 * @throws LayerpruneError if it does something else to texts
 */
export function stateSentencePieces(
  { tokenizer }: WrittenTokenizer,
  model: Record<string, unknown>,
  { tokens, types }: TokenList,
): Statements {
  const { hasPrefix } = readSpaces(tokenizer)
  for (const [id, token] of tokens.entries()) {
    if (types[id] === NORMAL && /^<0x[0-9A-F]{2}>$/.test(token)) types[id] = BYTE
    if (token === model.unk_token) types[id] = UNKNOWN
  }
  return {
    'tokenizer.ggml.model': text('llama'),
    'tokenizer.ggml.pre': text('default'),
    'tokenizer.ggml.scores': reals(scoreTokens(model, tokens, types)),
    'tokenizer.ggml.add_space_prefix': flag(hasPrefix),
  }
}

/** Whether texts get a space before them; throws LayerpruneError if more is done to them. */
function readSpaces({ normalizer, pre_tokenizer: preTokenizer }: Record<string, unknown>): { hasPrefix: boolean } {
  const steps = [...listSteps(normalizer, 'normalizers'), ...listSteps(preTokenizer, 'pretokenizers')]
  let hasPrefix = false
  for (const step of steps) {
    if (step.type === 'Prepend' && step.prepend === SPACE) hasPrefix = true
    else if (step.type === 'Metaspace') hasPrefix = step.prepend_scheme !== 'never' && step.add_prefix_space !== false
    else if (!isSpaceStep(step)) throw refuseTokenizer(`its step ${String(step.type)} has no place in one`)
  }
  return { hasPrefix }
}

/** A step that writes spaces as word characters, or splits at spaces when there are none left. */
function isSpaceStep({ type, pattern, content }: Record<string, unknown>): boolean {
  if (!isObject(pattern) || pattern.String !== ' ') return false
  return type === 'Split' || (type === 'Replace' && content === SPACE)
}

/**
 * The larger a score, the earlier its token is merged: 0 for the first merge, -1 for the next, as SentencePiece gives
 * them; then single characters.
 */
function scoreTokens(model: Record<string, unknown>, tokens: string[], types: number[]): number[] {
  const merges = (Array.isArray(model.merges) ? model.merges : []).map((merge) =>
    Array.isArray(merge) ? merge.join('') : String(merge).replace(' ', ''),
  )
  const ranks = new Map<string, number>()
  for (const token of merges) if (!ranks.has(token)) ranks.set(token, ranks.size)
  let next = ranks.size
  return tokens.map((token, id) => {
    if (types[id] === BYTE || types[id] === UNKNOWN) return 0
    if (types[id] !== NORMAL) return ADDED_SCORE
    const rank = ranks.get(token) ?? next++
    return rank === 0 ? 0 : -rank
  })
}
