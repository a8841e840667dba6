import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { exportModel } from '../../../src/jobs/export/export-model.js'
import { createChatWriter } from '../../../src/texts/tokens/chat-writer.js'
import { makeNamedModel } from '../../support/named-model.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const LOOP = (turn: string, opening: string) =>
  `{% for message in messages %}{{ ${turn} }}{% endfor %}{% if add_generation_prompt %}{{ ${opening} }}{% endif %}`
const CHATML = LOOP(
  "'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n'",
  "'<|im_start|>assistant\\n'",
)
const HEADERS =
  "'<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>'"
const BRACKETS =
  "{% for message in messages %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token }}{% else %}{{ raise_exception('no system') }}{% endif %}{% endfor %}"

/** Templates as those of published models are made. */
const TEMPLATES: Record<string, string> = {
  chatml: CHATML,
  'a system text of its own': `{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou are {{ "{{" }}.<|im_end|>\\n' }}{% endif %}${CHATML}`,
  'a start token': `{{ bos_token }}${LOOP(HEADERS, "'<|start_header_id|>assistant<|end_header_id|>\\n\\n'")}`,
  'a start token in each question, and no system texts': BRACKETS,
  'braces and quotes': LOOP('"{\\"" + message.role + "\\": \\"" + message.content + "\\"}\\n"', '\'{"assistant": "\''),
}
const CHATS = [
  [{ role: 'user', content: 'What is {{ this }}?\nSay.' }],
  [
    { role: 'system', content: 'Be kind.' },
    { role: 'user', content: 'One' },
    { role: 'assistant', content: '1' },
    { role: 'user', content: 'Two' },
  ],
]

type Message = Record<'role' | 'content', string>

/** What Go's text/template makes of the constructs that our templates have. */
function renderGo(template: string, chat: Message[]): string {
  const system = chat.filter(({ role }) => role === 'system').map(({ content }) => content)
  const [, head, turns, opening] = /^([\s\S]*?){{ range \.Messages }}([\s\S]*){{ end }}([\s\S]*?)$/.exec(template)!
  const [, withSystem, without] = /^{{ if \.System }}([\s\S]*){{ else }}([\s\S]*){{ end }}$/.exec(head!) ?? [
    null,
    '',
    head,
  ]
  const [, user, assistant] =
    /^{{ if eq \.Role "user" }}([\s\S]*){{ else if eq \.Role "assistant" }}([\s\S]*){{ end }}$/.exec(turns!)!
  const fill = (text: string, values: Record<string, string>) =>
    text.replace(/{{ (?:\.(\w+)|("(?:\\.|[^"\\])*")) }}/g, (_, name, quoted) =>
      name ? values[name]! : JSON.parse(quoted),
    )
  const texts = chat.flatMap(({ role, content: Content }) => {
    if (role === 'system') return []
    return [fill(role === 'user' ? user! : assistant!, { Content })]
  })
  const start = system.length > 0 ? fill(withSystem!, { System: system.join('\n\n') }) : fill(without!, {})
  return start + texts.join('') + fill(opening!, {})
}

async function writeModelfile(template: string | undefined, { addsStart = false } = {}) {
  const model = makeNamedModel()
  const path = join(model, 'tokenizer_config.json')
  const config = JSON.parse(readFileSync(path, 'utf8'))
  const tokens = { bos_token: '<s>', eos_token: '</s>' }
  writeFileSync(path, JSON.stringify({ ...config, ...tokens, ...(template && { chat_template: template }) }))
  if (!addsStart) {
    const file = join(model, 'tokenizer.json')
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), post_processor: null }))
  }
  const notes: string[] = []
  const output = join(makeTempFolder(), 'small')
  const onNote = (note: string) => notes.push(note)
  await exportModel({ model, to: 'gguf', dtype: ['F32'], modelfile: true, check: false, output, onNote })
  return { model, notes: notes.slice(1), modelfile: readFileSync(join(output, 'Modelfile'), 'utf8') }
}

const readTemplate = (modelfile: string) => /^TEMPLATE """([\s\S]*?)"""$/m.exec(modelfile)?.[1]

describe('the Modelfile', () => {
  it.each(Object.entries(TEMPLATES))('writes chats as the chat template does: %s', async (name, template) => {
    const { model, modelfile } = await writeModelfile(template)
    const write = createChatWriter(() => model)
    const hasSystem = !name.includes('no system')
    expect(modelfile.includes('# the chat template knows no system texts')).toBe(!hasSystem)
    for (const chat of hasSystem ? CHATS : CHATS.slice(0, 1)) {
      const found = renderGo(readTemplate(modelfile)!, chat)
      const closed = (await write(chat, 'here'))!
      expect(found.slice(0, closed.length)).toBe(closed)
      expect(found.length >= closed.length).toBe(true)
    }
  })

  it.each(Object.entries(TEMPLATES).filter(([name]) => name.startsWith('a start token')))(
    'leaves it to Ollama to begin a text with the token for that: %s',
    async (_, template) => {
      const own = await writeModelfile(template)
      const left = await writeModelfile(template, { addsStart: true })
      const chat = [...CHATS[0]!, { role: 'assistant', content: 'Done.' }, ...CHATS[0]!]
      const rendered = [own, left].map(({ modelfile }) => renderGo(readTemplate(modelfile)!, chat))
      expect(rendered[0]).toMatch(/^<s>/)
      expect(`<s>${rendered[1]}`).toBe(rendered[0])
    },
  )

  it('names the file, the ends of turns, how to sample and the licence', async () => {
    const { modelfile, notes } = await writeModelfile(CHATML)
    expect(notes).toEqual([])
    expect(modelfile.startsWith('FROM "./small-F32.gguf"\nTEMPLATE """{{ if .System }}<|im_start|>system\n')).toBe(true)
    const parameters = modelfile.slice(modelfile.indexOf('PARAMETER'))
    expect(parameters.split('\n')).toEqual([
      'PARAMETER stop "</s>"',
      'PARAMETER stop "<pad>"',
      'PARAMETER temperature 0.6',
      'PARAMETER top_k 20',
      'PARAMETER top_p 0.95',
      'PARAMETER repeat_penalty 1.05',
      'LICENSE "apache-2.0,mit"',
      '',
    ])
  })

  it('has no template for a model that has none', async () => {
    const { modelfile } = await writeModelfile(undefined)
    expect(modelfile).not.toMatch(/TEMPLATE/)
  })

  it('has none, and says so, if turns are written by what comes after them', async () => {
    const { modelfile, notes } = await writeModelfile(
      `{% for message in messages %}{{ message.role + ': ' + (message.content if loop.last else 'read') + '\\n' }}{% endfor %}`,
    )
    expect(readTemplate(modelfile)).toBeUndefined()
    expect(modelfile).toContain('\n# the chat template does not write all turns alike')
    expect(notes).toEqual([expect.stringContaining('Ollama chooses the nearest that it knows, or none')])
  })
})
