import { cpSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LayerpruneError } from '../../src/errors.js'
import { loadTokenizer } from '../../src/runtime/tokenizer.js'
import { TokenizerThread } from '../../src/runtime/tokenizer-thread.js'
import { FIXTURES, LLAMA, makeTempFolder, TEXTS } from '../cli/run-program.js'

const texts = readFileSync(TEXTS, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line).text as string)

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
