import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encodeGgufHeader } from '../../../src/files/gguf/write/encode.js'
import { stateTokenizer } from '../../../src/files/gguf/write/state-tokenizer.js'
import type { WrittenValue } from '../../../src/files/gguf/write/written-value.js'
import { loadTokenizer } from '../../../src/texts/tokens/tokenizer.js'
import { readTokenizerFiles } from '../../../src/texts/tokens/tokenizer-files.js'
import { FIXTURES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const TOKENIZERS = join(FIXTURES, 'tokenizers')
const TEXTS = [
  '',
  ' leading and  double   spaces ',
  "It's 12345 o'clock,\n\n\tWE'LL see: 3.14",
  'na\u00efve e\u0301 \u00bd 中文字 привет 😀',
  'text</s>with <s> marks',
]
const VOCABULARY = 10_000

async function state(name: string, config: Record<string, unknown> = {}) {
  const files = await readTokenizerFiles(join(TOKENIZERS, name))
  return stateTokenizer({ ...files, config: { ...files.config, ...config }, model: {} }, VOCABULARY)
}

async function write(name: string): Promise<string> {
  const path = join(makeTempFolder(), 'vocabulary.gguf')
  const stated = Object.entries(await state(name)) as [string, WrittenValue][]
  writeFileSync(path, encodeGgufHeader(new Map(stated), []))
  return path
}

describe('the tokenizer of a checkpoint in a GGUF file', () => {
  it.each(['gemma', 'gpt2', 'llama2'])('gives the ids that tokenizer.json of %s gives', async (name) => {
    const [own, published] = [await loadTokenizer(await write(name)), await loadTokenizer(join(TOKENIZERS, name))]
    for (const text of TEXTS) expect(await own.encode(text, 1000), text).toEqual(await published.encode(text, 1000))
  })

  it('scores pieces in the order in which SentencePiece merges them', async () => {
    const stated = await state('llama2')
    const { model } = JSON.parse(readFileSync(join(TOKENIZERS, 'llama2', 'tokenizer.json'), 'utf8'))
    const scores = stated['tokenizer.ggml.scores']!.value as number[]
    const merged = new Set<string>(
      model.merges.map((merge: string | string[]) => [merge].flat().join('').replace(' ', '')),
    )
    const ofMerged = [...merged].map((token) => scores[model.vocab[token]]!)
    expect(ofMerged).toEqual(ofMerged.map((_, rank) => 0 - rank))
  })

  it('states the chat template and whether texts start with a token', async () => {
    const stated = await state('gpt2', { chat_template: '{{ messages }}' })
    expect(stated['tokenizer.chat_template']).toEqual({ type: 'string', value: '{{ messages }}' })
    expect(stated['tokenizer.ggml.add_bos_token']).toMatchObject({ type: 'bool' })
  })

  it('states several chat templates by their names', async () => {
    const named = ['default', 'tools'].map((name) => ({ name, template: `of ${name}` }))
    const stated = await state('gpt2', { chat_template: named })
    expect(stated).toMatchObject({
      'tokenizer.chat_templates': { value: ['tools'] },
      'tokenizer.chat_template': { value: 'of default' },
      'tokenizer.chat_template.tools': { value: 'of tools' },
    })
  })

  it('refuses texts that start with another token than the one for that', async () => {
    await expect(state('llama2', { bos_token: '</s>' })).rejects.toMatchObject({
      message: expect.stringMatching(/: it starts texts with <s>, but its token for that is <\/s>$/),
    })
  })

  it.each([
    ['bert', 'its model is WordPiece, not BPE'],
    ['t5', 'its model is Unigram, not BPE'],
    ['superword', 'llama.cpp has no name for how it splits texts into words'],
    ['lower', 'llama.cpp has no name for how it splits texts into words'],
  ])('%s is refused', async (name, reason) => {
    await expect(state(name)).rejects.toMatchObject({
      message: `a GGUF file cannot hold this tokenizer: ${reason}`,
      hint: 'export the model to ONNX, which uses tokenizer.json as it is',
    })
  })
})
