import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tokenizer } from 'tokenizers'
import { describe, expect, it } from 'vitest'
import { LayerpruneError } from '../../../src/base/errors.js'
import { createRandom } from '../../../src/base/random.js'
import { encodeStart } from '../../../src/texts/tokens/text-start.js'
import { FIXTURES } from '../../support/paths.js'
import { makeNastyText } from './nasty-text.js'

const TOKENIZERS = join(FIXTURES, 'tokenizers')

const tokenizers = new Map<string, Tokenizer>()

function load(name: string) {
  const path = join(TOKENIZERS, name, 'tokenizer.json')
  const tokenizer = tokenizers.get(name) ?? Tokenizer.fromFile(path)
  tokenizers.set(name, tokenizer)
  const { added_tokens } = JSON.parse(readFileSync(path, 'utf8'))
  const read = { characters: 0 }
  const encode = (text: string) => {
    read.characters += text.length
    return tokenizer.encode(text, null, { addSpecialTokens: false })
  }
  return {
    start: (text: string, count: number) => encodeStart(encode, text, count),
    whole: async (text: string) => (await encode(text)).getIds(),
    added: added_tokens.map(({ content }: { content: string }) => content) as string[],
    read,
  }
}

describe('encodeStart', () => {
  it.each(readdirSync(TOKENIZERS))('gives the first ids of the whole text: %s', async (name) => {
    const tokenizer = load(name)
    const random = createRandom(13)
    let cut = 0
    for (let i = 0; i < 30; i++) {
      const text = makeNastyText(random, 2800 + random.below(1000), tokenizer.added)
      const expected = await tokenizer.whole(text)
      const count = 1 + random.below(1 + random.below(150))
      const found = await tokenizer.start(text, count)
      if (found.length < expected.length) cut++
      expect(found.slice(0, count), JSON.stringify(text)).toEqual(expected.slice(0, count))
    }
    // without words there is no part of a text that is certain
    expect(cut).toBeGreaterThan(/whole|llama2|gemma|superword/.test(name) ? -1 : 10)
  })

  // each text has, far behind a place where it might be cut, what changes its first tokens
  const filler = (unit: string, length: number) => unit.repeat(Math.ceil(length / unit.length))
  it.each<[what: string, name: string, text: string]>([
    ['a mark that goes before others', 'gpt4', `a${filler('\u0301', 3500)}\u0323 the river`],
    ['a letter that a sigma stands before', 'lower-whole', `ΑΣ${filler('.', 3500)}Α the river`],
    ['the end of digits grouped from their end', 'superword', `${filler('12345678', 3500)}1 the river`],
    ['spaces that are stripped', 't5', `mill${filler(' ', 3500)}`],
    ['signs that become spaces, which are stripped', 'lower-whole', `it${filler('▁', 3500)}`],
    ['spaces before a token that takes them', 'llama2', `mill${filler(' ', 3500)}<mask> the river`],
    ['the end of a word too long for a dictionary', 'bert', `mill ${filler('e', 3500)} the river`],
    ['an odd letter in a run', 'unigram-whole', `${filler('ha', 3501)}h`],
  ])('looks far enough: %s', async (_, name, text) => {
    const tokenizer = load(name)
    for (const more of ['', '1', 'a']) {
      const expected = await tokenizer.whole(text + more)
      for (const count of [1, 3, 40]) {
        const found = await tokenizer.start(text + more, count)
        expect(found.slice(0, count)).toEqual(expected.slice(0, count))
      }
    }
  })

  it.each(['the river ', '0', 'Q2F0 '])('reads a few thousand characters of a long text of words: %s', async (unit) => {
    const { start, read } = load('gpt4')
    expect((await start(unit.repeat(2e6 / unit.length), 64)).length).toBeGreaterThanOrEqual(64)
    expect(read.characters).toBeLessThan(40_000)
  })

  it('refuses a word that is too long, and names it', async () => {
    const { start } = load('gpt4')
    const found = start(`mill${' '.repeat(1 << 24)}`, 64)
    await expect(found).rejects.toThrow(LayerpruneError)
    await expect(found).rejects.toThrow(
      `the text that begins with "mill${' '.repeat(36)}" is one word of over 16,777,216 characters`,
    )
  })
})
