import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { InterruptedError, LayerpruneError } from '../../../src/base/errors.js'
import { evaluatePerplexity } from '../../../src/jobs/evaluate/perplexity.js'
import { loadTokenizer } from '../../../src/texts/tokens/tokenizer.js'
import { TokenizerThread } from '../../../src/texts/tokens/tokenizer-thread.js'
import { FIXTURES, LLAMA, TEXTS } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const texts = readFileSync(TEXTS, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line).text as string)

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

describe('TokenizerThread', () => {
  it('writes texts as the tokenizer of this thread does, in their order', async () => {
    const { encode } = await loadTokenizer(LLAMA)
    const tokenizer = new TokenizerThread(LLAMA)
    const answers = await Promise.all(texts.map((text, index) => tokenizer.encode(text, 5 + index)))
    tokenizer.close()
    expect(answers).toEqual(texts.map((text, index) => encode(text, 5 + index)))
    expect(new Set(answers.map(({ length }) => length)).size).toBeGreaterThan(1)
  })

  it('serves several folders at once, one that cannot be loaded among them', async () => {
    const folders = ['gpt2', 'opt'].map((name) => join(FIXTURES, 'families', name))
    const tokenizers = [...folders, makeTempFolder()].map((folder) => new TokenizerThread(folder))
    const answers = tokenizers.map((tokenizer) => tokenizer.encode(texts[0]!, 12))
    for (const tokenizer of tokenizers) tokenizer.close()
    for (const [index, folder] of folders.entries()) {
      const { encode } = await loadTokenizer(folder)
      expect(await answers[index]).toEqual(encode(texts[0]!, 12))
    }
    await expect(answers[2]).rejects.toThrow(LayerpruneError)
  })

  it('tells each who asks of a thread that failed, and starts another for the next', async () => {
    const tokenizer = new TokenizerThread(LLAMA)
    await tokenizer.loaded
    const noText = { slice: () => ({ length: 1e9 }) }
    await expect(tokenizer.encode(noText as never, 16)).rejects.toThrow(TypeError)
    await expect(tokenizer.encode(texts[0]!, 16)).rejects.toThrow(TypeError)
    const next = new TokenizerThread(LLAMA)
    expect(await next.encode(texts[3]!, 16)).toHaveLength(16)
    next.close()
  })

  it('gives up a text that its pattern never finishes if it is aborted, and continues with others', async () => {
    const folder = copyWithPattern('(?:a+)+b|[^b]')
    const stop = new AbortController()
    const [stuck, other] = [new TokenizerThread(folder, stop.signal), new TokenizerThread(LLAMA)]
    await Promise.all([stuck.loaded, other.loaded])
    const asked = stuck.encode('a'.repeat(60), 16)
    setTimeout(() => stop.abort(new Error('stopped')), 100)
    await expect(asked).rejects.toThrow('stopped')
    expect(await other.encode(texts[3]!, 16)).toHaveLength(16)
    expect(await stuck.encode('b', 16)).not.toEqual([])
    for (const tokenizer of [stuck, other]) tokenizer.close()
  })

  it('is given up by an evaluation that is interrupted', async () => {
    const folder = copyWithPattern('(?:a+)+b|[^b]')
    const dataset = join(folder, 'texts.jsonl')
    writeFileSync(dataset, JSON.stringify({ text: 'a'.repeat(60) }))
    const stop = new AbortController()
    const evaluation = evaluatePerplexity({ model: folder, dataset, signal: stop.signal })
    setTimeout(() => stop.abort(), 1000)
    await expect(evaluation).rejects.toThrow(InterruptedError)
  })

  it('says why a tokenizer cannot be loaded, to each who asks', async () => {
    const folder = join(makeTempFolder(), 'model')
    cpSync(LLAMA, folder, { recursive: true })
    rmSync(join(folder, 'tokenizer.json'))
    const tokenizer = new TokenizerThread(folder)
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
