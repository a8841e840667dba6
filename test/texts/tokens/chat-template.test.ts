import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createChatWriter } from '../../../src/texts/tokens/chat-writer.js'
import { loadTokenizer } from '../../../src/texts/tokens/tokenizer.js'
import { FIXTURES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

interface Case {
  name: string
  template: string
  chat: unknown[]
  text: string
  ids: number[]
}

const LLAMA = join(FIXTURES, 'families/llama')
const cases: Case[] = JSON.parse(readFileSync(join(FIXTURES, 'chats.json'), 'utf8'))
const HELLO = [
  { role: 'user', content: 'Hello' },
  { role: 'assistant', content: 'Good day' },
]
const SIMPLE = '{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}\n{% endfor %}'

/** A folder with the tokenizer of the Llama fixture, and a chat template. */
function makeTokenizer(settings: Record<string, unknown>, files: Record<string, string> = {}): string {
  const folder = makeTempFolder()
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'config.json']) {
    cpSync(join(LLAMA, name), join(folder, name))
  }
  const path = join(folder, 'tokenizer_config.json')
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...settings }))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return folder
}

const write = (folder: string, chat: unknown[]) => createChatWriter(() => folder)(chat, 'x.jsonl:3')

describe('a chat is written as transformers writes it', () => {
  it.each(cases)('$name', async ({ template, chat, text, ids }) => {
    const folder = makeTokenizer({ chat_template: template })
    expect(await write(folder, chat)).toBe(text)
    const { encode } = await loadTokenizer(folder)
    expect(await encode(text, 1000, false)).toEqual(ids)
    expect(await encode(text, 5, false)).toEqual(ids.slice(0, 5))
  })
})

it('a damaged file beside the tokenizer is named', async () => {
  const folder = makeTokenizer({ chat_template: SIMPLE }, { 'special_tokens_map.json': '{"eos_token": ' })
  await expect(write(folder, [{ role: 'user', content: 'Hello' }])).rejects.toThrow(
    /special_tokens_map\.json is not valid JSON/,
  )
})

describe('the template', () => {
  const expected = 'user: Hello</s>\nassistant: Good day</s>\n'

  it.each([
    ['is in the config', makeTokenizer({ chat_template: SIMPLE })],
    [
      'is the default of several',
      makeTokenizer({
        chat_template: [
          { name: 'tool_use', template: 'other' },
          { name: 'default', template: SIMPLE },
        ],
      }),
    ],
    ['is in a file, which comes first', makeTokenizer({ chat_template: 'other' }, { 'chat_template.jinja': SIMPLE })],
  ])('%s', async (_, folder) => {
    expect(await write(folder, HELLO)).toBe(expected)
  })

  it('gets the same date every day', async () => {
    const folder = makeTokenizer({ chat_template: '{{ strftime_now("%d %b %Y, %B %m") }}' })
    expect(await write(folder, HELLO)).toBe('26 Jul 2024, July 07')
  })

  it.each([
    [makeTokenizer({}), /^the tokenizer in .* has no chat template, and the column holds chats$/],
    [makeTokenizer({ chat_template: '{% for %}' }), /^the chat template in .* is not understood: /],
    [
      makeTokenizer({ chat_template: '{{ raise_exception("turns must alternate") }}' }),
      /^x\.jsonl:3: the chat template of the model cannot write this chat: turns must alternate$/,
    ],
  ])('is refused: %#', async (folder, message) => {
    await expect(write(folder, HELLO)).rejects.toThrow(message)
  })
})

describe('chats of other forms', () => {
  const folder = makeTokenizer({ chat_template: SIMPLE })

  it.each([
    [
      'speakers of ShareGPT',
      [
        { from: 'human', value: 'Hello' },
        { from: 'gpt', value: 'Good day' },
      ],
    ],
    ['contents in parts', HELLO.map(({ role, content }) => ({ role, content: [{ type: 'text', text: content }] }))],
  ])('%s', async (_, chat) => {
    expect(await write(folder, chat)).toBe(await write(folder, HELLO))
  })

  it('with an image are no text', async () => {
    expect(await write(folder, [{ role: 'user', content: [{ type: 'image' }] }])).toBeUndefined()
  })

  it('of unknown speakers are refused', async () => {
    await expect(write(folder, [{ from: 'narrator', value: 'Once' }])).rejects.toThrow(
      /^x\.jsonl:3: the speaker 'narrator' of a chat is not known: expected system, human, /,
    )
  })
})
