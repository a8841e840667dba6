import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { createRandom, type Random, shuffleInPlace } from '../../../src/base/random.js'
import type { Pipeline, TokenModel } from '../../../src/texts/tokens/token-model.js'
import { createWordStart } from '../../../src/texts/tokens/word-start.js'

// a dependency of transformers.js, whose own tokenizers these are
const transformers = createRequire(import.meta.resolve('@huggingface/transformers'))
const { Tokenizer } = transformers('@huggingface/tokenizers') as {
  Tokenizer: new (json: object, config: object) => Pipeline
}

function makeModel(model: object): TokenModel {
  const rest = {
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    added_tokens: [],
  }
  return new Tokenizer({ model, ...rest }, {}).model
}

const pick = <T>(random: Random, items: T[]) => items[random.below(items.length)]!

/** Merges of a few letters in any order, so that one here may hang on letters far behind. */
function makeBpe(random: Random, letters: string[]): TokenModel {
  const pieces = [...letters]
  const merges: [string, string][] = []
  for (let i = 0; i < 24; i++) {
    const [left, right] = [pick(random, pieces), pick(random, pieces)]
    const piece = left + right
    if (piece.length > 8 || merges.some((merge) => merge[0] === left && merge[1] === right)) continue
    merges.push([left, right])
    if (!pieces.includes(piece)) pieces.push(piece)
  }
  const vocab = Object.fromEntries(pieces.map((piece, id) => [piece, id]))
  return makeModel({ type: 'BPE', vocab, merges: shuffleInPlace(merges, random), ignore_merges: true })
}

/** Scores of which many paths have the same sum. */
function makeUnigram(random: Random, letters: string[]): TokenModel {
  const pieces = new Set(random.below(3) === 0 ? letters.slice(1) : letters)
  for (let i = 0; i < 12; i++) {
    pieces.add(Array.from({ length: 1 + random.below(6) }, () => pick(random, letters)).join(''))
  }
  const vocab = [...pieces].map((piece) => [piece, -piece.length - (1 + random.below(4)) / 10])
  return makeModel({ type: 'Unigram', unk_id: 0, vocab: [['?', 0], ...vocab] })
}

function makeWord(random: Random, letters: string[]): string {
  const unit = Array.from({ length: 1 + random.below(5) }, () => pick(random, letters)).join('')
  const share = random.below(101)
  let word = ''
  while (word.length < 300) word += random.below(100) < share ? unit : pick(random, letters)
  return word
}

describe('createWordStart', () => {
  it.each([
    ['merges', makeBpe],
    ['likely paths', makeUnigram],
  ])('gives tokens that the word begins with, however it goes on: %s', (_, make) => {
    const random = createRandom(17)
    let found = 0
    for (let i = 0; i < 150; i++) {
      const letters = pick(random, ['ab', 'abc', 'ab▁', 'a😀']).match(/./gu)!
      const model = make(random, letters)
      const startWord = createWordStart(model)
      for (let j = 0; j < 8; j++) {
        const word = makeWord(random, letters)
        const known = 1 + random.below(word.length)
        const start = startWord(word.slice(0, known), known)
        expect(model.encode([word]).slice(0, start.length)).toEqual(start)
        found += start.join('').length / known
      }
    }
    // most of what is known is certain
    expect(found / (150 * 8)).toBeGreaterThan(0.6)
  })

  it('says nothing of a word whose last piece is marked', () => {
    const vocab = { a: 0, 'a</w>': 1, 'aa</w>': 2 }
    const model = makeModel({ type: 'BPE', vocab, merges: [['a', 'a</w>']], end_of_word_suffix: '</w>' })
    expect(createWordStart(model)('aaaaaaaa', 8)).toEqual([])
  })
})
