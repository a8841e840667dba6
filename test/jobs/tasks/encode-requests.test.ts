import { describe, expect, it } from 'vitest'
import { RequestEncoder, type TaskTokenizer } from '../../../src/jobs/tasks/encode-requests.js'

/** A token for each character, 0 before a text. */
const characters = (text: string) => [...text].map((character) => character.codePointAt(0)!)
const tokenizer: TaskTokenizer = {
  encode: async (text) => [0, ...characters(text)],
  encodePlain: async (text) => characters(text),
  prefix: { id: 0, text: '<s>' },
}
const encode = (context: string, continuation: string, maxLength = 100) =>
  new RequestEncoder(tokenizer, maxLength).encode({ context, continuation }, 'x.jsonl:1')

describe('a request', () => {
  it('runs all tokens but the last, and scores those after the context', async () => {
    const ids = characters(' no')
    expect(await encode('Q', ' no')).toEqual({ input: [0, 81, ...ids.slice(0, -1)], from: 1, ids, cut: 0 })
  })

  it('gives spaces at the end of the context to the continuation', async () => {
    expect((await encode('Q \n', 'a')).ids).toEqual(characters(' \na'))
  })

  it('follows the token that begins a text if there is no context', async () => {
    expect(await encode('', 'ab')).toMatchObject({ input: [0, 97], from: 0, ids: [97, 98] })
    expect((await encode('<s>Q', 'a')).input).toEqual(characters('<s>Q'))
  })

  it('loses the start of a context that is too long', async () => {
    expect(await encode('abcdef', 'gh', 4)).toEqual({
      ...{ input: characters('defg'), from: 2, ids: characters('gh'), cut: 4 },
    })
    await expect(encode('a', 'bcdefg', 4)).rejects.toThrow('x.jsonl:1: a choice of 6 tokens, the model takes 4 at most')
    await expect(encode('a', '')).rejects.toThrow('no token after its context')
  })
})
