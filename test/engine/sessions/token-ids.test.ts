import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openModel } from '../../../src/engine/model.js'
import { countTokenRows } from '../../../src/engine/sessions/token-ids.js'
import { evaluatePerplexity, measureSimilarity } from '../../../src/index.js'
import { copyFixture, fixtureFolder, listFixtures, readConfig } from '../../support/fixture-model.js'
import { FIXTURES, TEXTS } from '../../support/paths.js'

/** A llama whose texts start with another id. */
function withStartToken(id: unknown): string {
  const folder = copyFixture('llama')
  const path = join(folder, 'tokenizer.json')
  const tokenizer = JSON.parse(readFileSync(path, 'utf8'))
  const [token] = Object.values<{ ids: unknown[] }>(tokenizer.post_processor.special_tokens)
  token!.ids = [id]
  writeFileSync(path, JSON.stringify(tokenizer))
  return folder
}

it('a token id beyond the vocabulary is refused', async () => {
  const options = { model: withStartToken(300), dataset: TEXTS, maxLength: 32 }
  const message = /^token 0 of .*texts\.jsonl:\d has the id 300, expected a whole number from 0 to 299$/
  await expect(measureSimilarity({ ...options, layersToSkip: 1 })).rejects.toThrow(message)
  await expect(evaluatePerplexity(options)).rejects.toThrow(message)
})

it.each([[null], [''], [[]], [-1], [1.5], [{}], [2 ** 40]])('the token id %j is refused', async (id) => {
  const options = { model: withStartToken(id), dataset: TEXTS, maxLength: 32 }
  await expect(evaluatePerplexity(options)).rejects.toThrow(/^the tokenizer in .* cannot be loaded: /)
})

it('an id of an added token that is not that of its vocabulary is refused', async () => {
  const folder = copyFixture('llama')
  const path = join(folder, 'tokenizer.json')
  const tokenizer = JSON.parse(readFileSync(path, 'utf8'))
  tokenizer.added_tokens[0].id = 5
  writeFileSync(path, JSON.stringify(tokenizer))
  await expect(evaluatePerplexity({ model: folder, dataset: TEXTS })).rejects.toThrow(
    /has the id 5, its vocabulary gives 0$/,
  )
})

it('the rows of the embedding of every family are found', async () => {
  const exports = readdirSync(join(FIXTURES, 'onnx')).map((name) => join(FIXTURES, 'onnx', name))
  const families = listFixtures().map((name): [string, number] => {
    const { text_config: text, vocab_size: rows = 300 } = readConfig(name)
    return [fixtureFolder(name), Number((text as { vocab_size?: number } | undefined)?.vocab_size ?? rows)]
  })
  for (const [model, rows] of [...families, ...exports.map((model): [string, number] => [model, 300])]) {
    const { decoder } = await openModel({ model })
    expect(countTokenRows(decoder.model.graph), model).toBe(rows)
  }
})
