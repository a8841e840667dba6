import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { InterruptedError, LayerpruneError } from '../../../src/base/errors.js'
import { evaluatePerplexity } from '../../../src/jobs/evaluate/perplexity.js'
import { loadTokenizer } from '../../../src/texts/tokens/tokenizer.js'
import { TokenizerProcess } from '../../../src/texts/tokens/tokenizer-process.js'
import { FIXTURES, LLAMA, TEXTS } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const texts = readFileSync(TEXTS, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line).text as string)

/** Takes many seconds without a split into words. */
const LONG_WORD = '中'.repeat(1 << 24)

/** A model folder whose tokenizer splits texts by another pattern. */
function copyWithPattern(pattern: string): string {
  const folder = join(makeTempFolder(), 'model')
  cpSync(join(FIXTURES, 'families', 'llama'), folder, { recursive: true })
  const path = join(folder, 'tokenizer.json')
  const tokenizer = JSON.parse(readFileSync(path, 'utf8'))
  const split = { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false }
  const pretokenizers = [split, { ...tokenizer.pre_tokenizer, use_regex: false }]
  writeFileSync(path, JSON.stringify({ ...tokenizer, pre_tokenizer: { type: 'Sequence', pretokenizers } }))
  return folder
}

describe('TokenizerProcess', () => {
  it('writes texts as a tokenizer of this process does, in their order', async () => {
    const { encode } = await loadTokenizer(LLAMA)
    const tokenizer = new TokenizerProcess(LLAMA)
    const answers = await Promise.all(texts.map((text, index) => tokenizer.encode(text, 5 + index)))
    tokenizer.close()
    expect(answers).toEqual(await Promise.all(texts.map((text, index) => encode(text, 5 + index))))
    expect(new Set(answers.map(({ length }) => length)).size).toBeGreaterThan(1)
  })

  it('serves several folders at once, one that cannot be loaded among them', async () => {
    const folders = ['gpt2', 'opt'].map((name) => join(FIXTURES, 'families', name))
    const tokenizers = [...folders, makeTempFolder()].map((folder) => new TokenizerProcess(folder))
    const answers = tokenizers.map((tokenizer) => tokenizer.encode(texts[0]!, 12))
    for (const tokenizer of tokenizers) tokenizer.close()
    for (const [index, folder] of folders.entries()) {
      const { encode } = await loadTokenizer(folder)
      expect(await answers[index]).toEqual(await encode(texts[0]!, 12))
    }
    await expect(answers[2]).rejects.toThrow(LayerpruneError)
  })

  it('outlives a file that ends the process reading it, and serves the next', async () => {
    const folder = copyWithPattern(' ')
    const path = join(folder, 'tokenizer.json')
    const { model, ...rest } = JSON.parse(readFileSync(path, 'utf8'))
    const merges = [['a', 'no such token'], ...model.merges]
    writeFileSync(
      path,
      JSON.stringify({ ...rest, model: { ...model, type: 'Unigram', unk_id: 9, vocab: [['a', 0]], merges } }),
    )
    const tokenizer = new TokenizerProcess(folder)
    const error = await tokenizer.encode('In the beginning', 16).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(LayerpruneError)
    expect((error as LayerpruneError).message).toContain(folder)
    const next = new TokenizerProcess(LLAMA)
    expect(await next.encode(texts[3]!, 16)).toHaveLength(16)
    next.close()
  })

  it('gives up a text that takes long if it is aborted, and continues with others', async () => {
    const folder = join(FIXTURES, 'tokenizers', 'unigram-whole')
    const stop = new AbortController()
    const [stuck, other] = [new TokenizerProcess(folder, stop.signal), new TokenizerProcess(LLAMA)]
    await Promise.all([stuck.loaded, other.loaded])
    const asked = stuck.encode(LONG_WORD, 16)
    setTimeout(() => stop.abort(new Error('stopped')), 100)
    await expect(asked).rejects.toThrow('stopped')
    expect(await other.encode(texts[3]!, 16)).toHaveLength(16)
    expect(await stuck.encode('mill', 16)).not.toEqual([])
    for (const tokenizer of [stuck, other]) tokenizer.close()
  })

  it('is given up by an evaluation that is interrupted', async () => {
    const folder = join(makeTempFolder(), 'model')
    cpSync(LLAMA, folder, { recursive: true })
    cpSync(join(FIXTURES, 'tokenizers', 'unigram-whole'), folder, { recursive: true })
    const dataset = join(folder, 'texts.jsonl')
    writeFileSync(dataset, JSON.stringify({ text: LONG_WORD }))
    const stop = new AbortController()
    const evaluation = evaluatePerplexity({ model: folder, dataset, signal: stop.signal })
    setTimeout(() => stop.abort(), 1000)
    await expect(evaluation).rejects.toThrow(InterruptedError)
  })

  it('says why a tokenizer cannot be loaded, to each who asks', async () => {
    const folder = join(makeTempFolder(), 'model')
    cpSync(LLAMA, folder, { recursive: true })
    rmSync(join(folder, 'tokenizer.json'))
    const tokenizer = new TokenizerProcess(folder)
    const asked = tokenizer.encode('In the beginning', 16)
    const error = await tokenizer.loaded.catch((error: unknown) => error)
    await expect(asked).rejects.toEqual(error)
    await expect(tokenizer.encode('In the beginning', 16)).rejects.toEqual(error)
    tokenizer.close()
    expect(error).toBeInstanceOf(LayerpruneError)
    expect((error as LayerpruneError).message).toContain(folder)
    expect((error as LayerpruneError).hint).toContain('tokenizer.json')
  })
})
