import { isObject } from '../../../base/is-object.js'
import { GPT2, WORD_PATTERNS } from '../tokenizer/word-patterns.js'
import { decodeBytes } from './byte-characters.js'
import { listSteps } from './written-tokenizer.js'

/** How published files write the same expressions; ours are on the right. */
const SPELLINGS: [published: RegExp, own: string][] = [
  [/\(\?i:'s\|'t\|'re\|'ve\|'m\|'ll\|'d\)/g, "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"],
  [/\\s\*\[\\r\\n\]\+?\|/g, '\\s*[\\r\\n]+|'],
  [/\\s\+\$\|/g, ''],
]

interface Splitting {
  patterns: string[]
  composes: boolean
  ignoresMerges: boolean
}

/**
 * The name that llama.cpp gives to how a tokenizer.json splits texts into words; undefined if it has none. Several
 * names can mean the same: the first is taken.
 */
export function findWordPatterns(
  tokenizer: Record<string, unknown>,
  model: Record<string, unknown>,
): string | undefined {
  const found = readSplitting(tokenizer, model)
  if (found === undefined) return undefined
  const keys = [found, withDigits(found, model)].map(keyOf)
  return PREFERRED.find((name) => keys.includes(keyOf(splittingOf(name))))
}

/**
 * The same with each digit a word, if the vocabulary has no longer token with a digit: published files of SmolLM 2 do
 * not say it, llama.cpp does.
 */
function withDigits(splitting: Splitting, { vocab }: Record<string, unknown>): Splitting {
  if (splitting.patterns[0] === DIGIT) return splitting
  const tokens = isObject(vocab) ? Object.keys(vocab).map(decodeBytes) : []
  if (tokens.some((token) => /\p{N}.|.\p{N}/su.test(token))) return splitting
  return { ...splitting, patterns: [DIGIT, ...splitting.patterns] }
}

const DIGIT = '\\p{N}'

/** The names that stand for a splitting, before all others that mean the same. */
const FIRST = ['smollm', 'gpt-2', 'llama-bpe', 'qwen2', 'gpt-4o', 'deepseek-v3', 'tekken', 'falcon', 'dbrx']
const PREFERRED = [...FIRST, ...Object.keys(WORD_PATTERNS).filter((name) => !FIRST.includes(name))]

function splittingOf(name: string): Splitting {
  const { patterns, composes = false, ignoresMerges = false } = WORD_PATTERNS[name]!
  return { patterns, composes, ignoresMerges }
}

function keyOf({ patterns, composes, ignoresMerges }: Splitting): string {
  return JSON.stringify([patterns.map(spell), composes, ignoresMerges])
}

function spell(pattern: string): string {
  return SPELLINGS.reduce((text, [published, own]) => text.replace(published, own), pattern)
}

/** What the steps of a byte-level tokenizer do; undefined if one does something else. */
function readSplitting(
  { normalizer, pre_tokenizer: preTokenizer }: Record<string, unknown>,
  model: Record<string, unknown>,
): Splitting | undefined {
  const normalizers = listSteps(normalizer, 'normalizers').map(({ type }) => type)
  if (normalizers.some((type) => type !== 'NFC')) return undefined
  const patterns: string[] = []
  let isByteLevel = false
  for (const step of listSteps(preTokenizer, 'pretokenizers')) {
    const pattern = readPattern(step)
    if (pattern === undefined) return undefined
    if (pattern !== null) patterns.push(pattern)
    isByteLevel ||= step.type === 'ByteLevel'
  }
  if (!isByteLevel) return undefined
  return { patterns, composes: normalizers.length > 0, ignoresMerges: model.ignore_merges === true }
}

/** The pattern whose matches a step makes words; null if it splits nothing, undefined if it does something else. */
function readPattern(step: Record<string, unknown>): string | null | undefined {
  switch (step.type) {
    case 'ByteLevel':
      if (step.add_prefix_space === true) return undefined
      return step.use_regex === false ? null : GPT2
    case 'Digits':
      return step.individual_digits === true ? DIGIT : undefined
    case 'Split': {
      const pattern = isObject(step.pattern) ? step.pattern.Regex : undefined
      return typeof pattern === 'string' && isIsolated(step) ? pattern : undefined
    }
    default:
      return undefined
  }
}

/** Matches are words of their own: isolated, or all that is between them is removed and there is nothing. */
function isIsolated({ behavior, invert }: Record<string, unknown>): boolean {
  return behavior === 'Isolated' || (behavior === 'Removed' && invert === true)
}
