import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadTokenizer, type Tokenizer } from '../../../src/texts/tokens/tokenizer.js'
import { count, counts, encodeGguf, flag, reals, text, texts, type Value } from '../../support/gguf-file.js'
import { FIXTURES, TEXTS } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const TOKENIZERS = join(FIXTURES, 'tokenizers')
const samples = readFileSync(TEXTS, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line).text as string)
  .concat([
    '',
    ' leading and  double   spaces ',
    "It's 12345 o'clock,\n\n\tWE'LL see: 3.14",
    'naïve e\u0301 ½ 中文字 привет 😀',
    'text</s>with <s> marks',
  ])

interface Published {
  tokens: string[]
  merges: string[]
}

function readPublished(name: string): Published {
  const { model } = JSON.parse(readFileSync(join(TOKENIZERS, name, 'tokenizer.json'), 'utf8'))
  const tokens: string[] = []
  for (const [token, id] of Object.entries(model.vocab)) tokens[id as number] = token
  const merges = (model.merges as (string | string[])[]).map((merge) => [merge].flat().join(' '))
  return { tokens, merges }
}

const NORMAL = 1
const CONTROL = 3
const USER_DEFINED = 4
const BYTE = 6

function typeOf(token: string): number {
  if (/^<0x..>$/.test(token)) return BYTE
  if (/^<\/?(s|unk)>$/.test(token)) return CONTROL
  return token.startsWith('<|') ? USER_DEFINED : NORMAL
}

function load(tokens: string[], others: Record<string, Value>): Promise<Tokenizer> {
  const path = join(makeTempFolder(), 'vocabulary.gguf')
  const settings = {
    'tokenizer.ggml.tokens': texts(tokens),
    'tokenizer.ggml.token_type': counts(tokens.map(typeOf)),
    'tokenizer.ggml.bos_token_id': count(0),
    'tokenizer.ggml.eos_token_id': count(1),
    'tokenizer.ggml.unknown_token_id': count(2),
    'tokenizer.ggml.add_eos_token': flag(true),
    ...others,
  }
  writeFileSync(path, encodeGguf(settings))
  return loadTokenizer(path)
}

/** Special tokens in a text. */
const MARK = /<\/?s>/
const LIMIT = 10_000

describe('the tokenizer of a GGUF file', () => {
  it.each([
    ['gpt2', { 'tokenizer.ggml.model': text('gpt2'), 'tokenizer.ggml.pre': text('gpt-2') }],
    ['gpt4', { 'tokenizer.ggml.model': text('gpt2'), 'tokenizer.ggml.pre': text('dbrx') }],
    ['llama2', { 'tokenizer.ggml.model': text('llama') }],
    ['gemma', { 'tokenizer.ggml.model': text('llama'), 'tokenizer.ggml.add_space_prefix': flag(false) }],
  ])('writes and reads texts as the tokenizer.json of %s does', async (name, settings) => {
    const { tokens, merges } = readPublished(name)
    const stated = { 'tokenizer.ggml.merges': texts(merges), 'tokenizer.ggml.add_bos_token': flag(true) }
    const own = await load(tokens, { ...settings, ...stated })
    const published = await loadTokenizer(join(TOKENIZERS, name))
    // that of gpt4 composes texts, llama.cpp's dbrx does not
    const asked = name === 'gpt4' ? samples.map((sample) => sample.normalize('NFC')) : samples
    for (const sample of asked) {
      const ids = await own.encode(sample, LIMIT)
      expect(ids, sample).toEqual(await published.encode(sample, LIMIT))
      if (!MARK.test(sample)) expect(await own.decode(ids)).toBe(sample)
    }
  })

  it('merges the neighbours of the largest score, as SentencePiece does, if a file has no merges', async () => {
    const { tokens } = readPublished('llama2')
    const scores = tokens.map((_, id) => -((id * 7919) % tokens.length))
    const { encode } = await load(tokens, {
      'tokenizer.ggml.model': text('llama'),
      'tokenizer.ggml.scores': reals(scores),
    })
    for (const sample of samples.filter((sample) => !MARK.test(sample) && sample !== '')) {
      const pieces = mergeByScore(`▁${sample.replaceAll(' ', '▁')}`, tokens, scores)
      const ids = pieces.flatMap((piece) => {
        const id = tokens.indexOf(piece)
        return id >= 0 ? [id] : [...Buffer.from(piece)].map((byte) => tokens.indexOf(byteToken(byte)))
      })
      expect(await encode(sample, LIMIT), sample).toEqual([0, ...ids, 1])
    }
  })

  it.each([
    ['without a vocabulary', {}, /has no tokenizer$/],
    ['of an unknown kind', { 'tokenizer.ggml.model': text('rwkv') }, /has a tokenizer of the kind rwkv/],
    ['that does not say how it splits texts', { 'tokenizer.ggml.model': text('gpt2') }, /without tokenizer\.ggml\.pre/],
    [
      'that splits texts in an unknown way',
      { 'tokenizer.ggml.model': text('gpt2'), 'tokenizer.ggml.pre': text('viking') },
      /that splits texts as viking, which cannot be read/,
    ],
    [
      'with too few types',
      { 'tokenizer.ggml.model': text('llama'), 'tokenizer.ggml.token_type': counts([1]) },
      /token_type has 1 elements for 2 tokens/,
    ],
    [
      'with half a merge',
      { 'tokenizer.ggml.model': text('llama'), 'tokenizer.ggml.merges': texts(['a b', 'ab']) },
      /merge "ab" is not a pair of pieces$/,
    ],
    [
      'with a wrong id',
      { 'tokenizer.ggml.model': text('llama'), 'tokenizer.ggml.bos_token_id': count(9) },
      /bos_token_id is 9, expected one of its 2 tokens/,
    ],
  ])('%s is refused', async (_, settings, message) => {
    const tokens = ['a', 'b']
    const scores = { 'tokenizer.ggml.scores': reals([0, 0]) }
    const ids = { 'tokenizer.ggml.unknown_token_id': count(0) }
    await expect(load(tokens, { ...scores, ...ids, ...settings })).rejects.toMatchObject({
      message: expect.stringMatching(message),
      hint: expect.any(String),
    })
  })
})

function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`
}

/** SentencePiece's algorithm, word for word: the leftmost of the neighbours whose union has the largest score. */
function mergeByScore(sample: string, tokens: string[], scores: number[]): string[] {
  const scoreOf = new Map(tokens.map((token, id) => [token, scores[id]!]))
  const pieces = [...sample]
  while (true) {
    let best = -1
    let bestScore = Number.NEGATIVE_INFINITY
    for (let at = 0; at + 1 < pieces.length; at++) {
      const score = scoreOf.get(pieces[at]! + pieces[at + 1]!) ?? Number.NEGATIVE_INFINITY
      if (score > bestScore) [best, bestScore] = [at, score]
    }
    if (best < 0) return pieces
    pieces.splice(best, 2, pieces[best]! + pieces[best + 1]!)
  }
}
