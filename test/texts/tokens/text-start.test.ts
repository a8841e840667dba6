import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AutoTokenizer, type PreTrainedTokenizer } from '@huggingface/transformers'
import { describe, expect, it } from 'vitest'
import { LayerpruneError } from '../../../src/base/errors.js'
import { createRandom } from '../../../src/base/random.js'
import { TextStart } from '../../../src/texts/tokens/text-start.js'
import type { Pipeline } from '../../../src/texts/tokens/token-model.js'
import { FIXTURES } from '../../support/paths.js'
import { makeNastyText } from './nasty-text.js'

const TOKENIZERS = join(FIXTURES, 'tokenizers')

const tokenizers = new Map<string, Promise<PreTrainedTokenizer>>()

async function load(name: string) {
  const folder = join(TOKENIZERS, name)
  const loading = tokenizers.get(name) ?? AutoTokenizer.from_pretrained(folder, { local_files_only: true })
  tokenizers.set(name, loading)
  const pipeline = (await loading)._tokenizer as unknown as Pipeline
  const { added_tokens } = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8'))
  const added = added_tokens.map(({ content }: { content: string }) => content) as string[]
  const read = { characters: 0 }
  const counted: Pipeline = Object.create(pipeline, {
    encode_text: {
      value(this: Pipeline, text: string) {
        read.characters += text?.length ?? 0
        return pipeline.encode_text.call(this, text)
      },
    },
  })
  return { start: new TextStart(counted), whole: (text: string) => pipeline.encode(text).ids, added, read }
}

describe('TextStart', () => {
  it.each(readdirSync(TOKENIZERS))('gives the first ids of the whole text: %s', async (name) => {
    const tokenizer = await load(name)
    const random = createRandom(13)
    let cut = 0
    for (let i = 0; i < 30; i++) {
      const text = makeNastyText(random, 2800 + random.below(1000), tokenizer.added)
      const expected = tokenizer.whole(text)
      const count = 1 + random.below(1 + random.below(150))
      const found = tokenizer.start.encode(text, count)
      if (found.length < expected.length) cut++
      // the token at the start of every text comes before them
      expect(found.slice(0, count + 1), JSON.stringify(text)).toEqual(expected.slice(0, count + 1))
    }
    expect(cut).toBeGreaterThan(10)
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
    const tokenizer = await load(name)
    for (const more of ['', '1', 'a']) {
      const expected = tokenizer.whole(text + more)
      for (const count of [1, 3, 40]) {
        const found = tokenizer.start.encode(text + more, count)
        expect(found.slice(0, count + 1)).toEqual(expected.slice(0, count + 1))
      }
    }
  })

  it.each(['a', 'ab', '=', '.', 'the river ', '中', '在河边的磨坊主和', '0', 'Q2F0', '😀'])(
    'reads a few thousand characters of a long text, one word or many: %s',
    async (unit) => {
      for (const name of ['gpt4', 'llama2', 'unigram-whole']) {
        const { start, read } = await load(name)
        expect(start.encode(unit.repeat(2e7 / unit.length), 64).length).toBeGreaterThanOrEqual(64)
        expect(read.characters).toBeLessThan(40_000)
      }
    },
  )

  it('refuses a text whose first tokens depend on its end, and names it', async () => {
    const { start } = await load('gpt4')
    const text = `mill${' '.repeat(1e6)}`
    expect(() => start.encode(text, 64)).toThrow(LayerpruneError)
    expect(() => start.encode(text, 64)).toThrow(
      `the text that begins with "mill${' '.repeat(36)}": expected to find its first 64 tokens in 262,144 ` +
        'characters, found nothing that ends a token for certain',
    )
  })
})
