/** How a byte-level vocabulary splits a text into words, by the name that llama.cpp gives it. */
export interface WordPatterns {
  /** Applied one after the other, each to what is between the matches of those before; its matches are words. */
  patterns: string[]
  /** A word that is a token is not split, whatever its merges. */
  ignoresMerges?: true
  /** Whether texts start with the token for that, if the file does not say. */
  startsTexts?: true
  /** Texts are composed first (Unicode's NFC). */
  composes?: true
}

const CONTRACTIONS = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
const SPACES = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'
const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]'
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]'
const START = '[^\\r\\n\\p{L}\\p{N}]?'

export const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
/** Words of letters with what precedes them, and up to so many digits. */
const cl100k = (digits: string, letters = '\\p{L}', others = '[^\\s\\p{L}\\p{N}]') =>
  `${CONTRACTIONS}|${START}${letters}+|\\p{N}${digits}| ?${others}+[\\r\\n]*|${SPACES}`
/** Words end where a small letter precedes a capital. */
const o200k = (contraction: string, digits: string) =>
  `${START}${UPPER}*${LOWER}+${contraction}|${START}${UPPER}+${LOWER}*${contraction}` +
  `|\\p{N}${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${SPACES}`

const GPT2_WORDS: WordPatterns = { patterns: [GPT2] }
/** Each digit is a word. */
const DIGIT_WORDS: WordPatterns = { patterns: ['\\p{N}', GPT2] }
const LLAMA3_WORDS: WordPatterns = { patterns: [cl100k('{1,3}')], ignoresMerges: true, startsTexts: true }
const CL100K_WORDS: WordPatterns = { patterns: [cl100k('{1,3}')] }
const QWEN_WORDS: WordPatterns = { patterns: [cl100k('')] }
const COMPOSED_QWEN_WORDS: WordPatterns = { ...QWEN_WORDS, composes: true }
const O200K_WORDS: WordPatterns = { patterns: [o200k(`${CONTRACTIONS}?`, '{1,3}')] }
const DEEPSEEK_WORDS: WordPatterns = {
  patterns: [
    '\\p{N}{1,3}',
    '[一-龥぀-ゟ゠-ヿ]+',
    `[!"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_\`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|${SPACES}`,
  ],
}
const BAILING_WORDS: WordPatterns = {
  patterns: [
    `'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|${START}\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+`,
  ],
}

/** By `tokenizer.ggml.pre`. */
export const WORD_PATTERNS: Record<string, WordPatterns> = {
  'a.x-4.0': GPT2_WORDS,
  bailingmoe: BAILING_WORDS,
  bailingmoe2: BAILING_WORDS,
  'chatglm-bpe': CL100K_WORDS,
  codeshell: DIGIT_WORDS,
  'command-r': { ...DIGIT_WORDS, composes: true },
  dbrx: CL100K_WORDS,
  'deepseek-coder': { patterns: ['[\\r\\n]', '\\s?\\p{L}+', '\\s?\\p{P}+', '[一-龥ࠀ-一가-퟿]+', '\\p{N}'] },
  'deepseek-llm': {
    patterns: [
      '[\\r\\n]',
      '\\s?[\\p{Lu}\\p{Ll}\\p{Lt}]+',
      '\\s?[!-/:-~！-／：-～‘-‟\u3000-。]+',
      '\\s+$',
      '[一-龥ࠀ-一가-퟿]+',
      '\\p{N}+',
    ],
  },
  'deepseek-r1-qwen': QWEN_WORDS,
  'deepseek-v3': DEEPSEEK_WORDS,
  exaone: DIGIT_WORDS,
  exaone4: GPT2_WORDS,
  'falcon-h1': LLAMA3_WORDS,
  falcon3: LLAMA3_WORDS,
  falcon: { patterns: ['[\\p{P}$+<=>^~|`]+', GPT2, '[0-9][0-9][0-9]'] },
  gigachat: GPT2_WORDS,
  glm4: { ...CL100K_WORDS, ignoresMerges: true },
  'gpt-2': GPT2_WORDS,
  'gpt-4o': O200K_WORDS,
  'granite-docling': GPT2_WORDS,
  hunyuan: QWEN_WORDS,
  'hunyuan-dense': DEEPSEEK_WORDS,
  kanana2: O200K_WORDS,
  kormo: QWEN_WORDS,
  lfm2: LLAMA3_WORDS,
  'llada-moe': BAILING_WORDS,
  'llama-bpe': LLAMA3_WORDS,
  'llama-v3': LLAMA3_WORDS,
  llama3: LLAMA3_WORDS,
  llama4: O200K_WORDS,
  megrez: QWEN_WORDS,
  mellum: GPT2_WORDS,
  mellum2: DIGIT_WORDS,
  'midm-2.0': LLAMA3_WORDS,
  'minerva-7b': DIGIT_WORDS,
  mpt: GPT2_WORDS,
  olmo: { ...GPT2_WORDS, composes: true },
  'phi-2': GPT2_WORDS,
  pixtral: LLAMA3_WORDS,
  qwen2: COMPOSED_QWEN_WORDS,
  qwen35: { patterns: [cl100k('', '[\\p{L}\\p{M}]', '[^\\s\\p{L}\\p{M}\\p{N}]')], composes: true },
  refact: DIGIT_WORDS,
  'seed-coder': {
    patterns: [`${CONTRACTIONS}|${START}\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|${SPACES}`],
  },
  'smaug-bpe': CL100K_WORDS,
  smollm: DIGIT_WORDS,
  stablelm2: QWEN_WORDS,
  starcoder: DIGIT_WORDS,
  tekken: { patterns: [o200k('', '')], ignoresMerges: true, startsTexts: true },
  trillion: GPT2_WORDS,
}
