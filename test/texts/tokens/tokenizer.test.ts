import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadTokenizer } from '../../../src/texts/tokens/tokenizer.js'
import { FIXTURES, LLAMA, TEXTS } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const texts = readFileSync(TEXTS, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line).text as string)

describe('loadTokenizer', () => {
  it.each(readdirSync(join(FIXTURES, 'onnx')))("writes and cuts texts as Python's tokenizers do: %s", async (name) => {
    const folder = join(FIXTURES, 'onnx', name)
    const reference = JSON.parse(readFileSync(join(folder, 'reference.json'), 'utf8'))
    const { encode } = await loadTokenizer(folder)
    expect(await Promise.all(texts.map((text) => encode(text, reference.maxLength)))).toEqual(reference.texts)
  })

  it('keeps the special token that follows a text when it cuts', async () => {
    const folder = makeTempFolder()
    cpSync(LLAMA, folder, { recursive: true })
    const tokenizer = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8'))
    const [bos, eos] = tokenizer.added_tokens
    tokenizer.post_processor = {
      type: 'TemplateProcessing',
      single: [bos, 'A', eos].map((part) =>
        part === 'A' ? { Sequence: { id: 'A', type_id: 0 } } : { SpecialToken: { id: part.content, type_id: 0 } },
      ),
      pair: [],
      special_tokens: Object.fromEntries(
        [bos, eos].map(({ id, content }) => [content, { id: content, ids: [id], tokens: [content] }]),
      ),
    }
    writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer))
    const { encode: plain } = await loadTokenizer(LLAMA)
    const { encode } = await loadTokenizer(folder)
    const ids = await plain(texts[3]!, 1000)
    const without = ids[0] === bos.id ? ids.slice(1) : ids
    expect(await encode(texts[3]!, 1000)).toEqual([bos.id, ...without, eos.id])
    expect(await encode(texts[3]!, 10)).toEqual([bos.id, ...without.slice(0, 8), eos.id])
    // of a text this long only the start is read
    expect(await encode(`${texts[3]!} `.repeat(1000), 10)).toEqual([bos.id, ...without.slice(0, 8), eos.id])
  })
})
