import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { CHAT_TEMPLATES, TASK_TEMPLATES } from '../../hardening/hostile-templates.js'
import { LLAMA } from '../../support/paths.js'
import { runProgram, startProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const cwd = makeTempFolder()
const chat = { messages: [{ role: 'user', content: 'Hello' }] }
writeFileSync(join(cwd, 'chats.jsonl'), `${JSON.stringify(chat)}\n`)
const BASICS = ['evaluate', '--quiet', '--threads', '1', '--model']

/** A model with a chat template, by its name. */
function makeModel(name: string, template: string): string {
  cpSync(LLAMA, join(cwd, name), { recursive: true })
  const path = join(cwd, name, 'tokenizer_config.json')
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), chat_template: template }))
  return name
}

it.each([
  ['a huge range', 'a range has 1000000000 numbers, Jinja takes at most 100000'],
  ['a text that ~ doubles', 'it makes a text or list of more than 67108864 characters or items'],
  ['a step of zero', 'slice step cannot be zero'],
])('a chat template with %s ends in one clear error', async (name, problem) => {
  const model = makeModel(name, CHAT_TEMPLATES[name]!)
  const args = [...BASICS, model, '--dataset', 'chats.jsonl', '--dataset-column', 'messages']
  expect(await runProgram(args, { cwd })).toEqual({
    ...{ exitCode: 1, stdout: '' },
    stderr: `error: chats.jsonl:1: the chat template of the model cannot write this chat: ${problem}
hint: remove the chat, or give it the turns that the template expects
`,
  })
})

it('a chat template that never ends is given up when the program is interrupted', async () => {
  const model = makeModel('endless', CHAT_TEMPLATES['three nested loops of 3,000']!)
  const args = [...BASICS, model, '--dataset', 'chats.jsonl', '--dataset-column', 'messages']
  const { child, texts, outcome } = startProgram(
    args.filter((arg) => arg !== '--quiet'),
    { cwd },
  )
  while (!texts.stderr.includes('texts are cut at')) await wait(50)
  await wait(500)
  const startMs = performance.now()
  child.kill('SIGINT')
  const { exitCode, stderr } = await outcome
  expect({ exitCode, stderr }).toEqual({ exitCode: 130, stderr: expect.stringMatching(/^error: interrupted after 0/m) })
  expect(performance.now() - startMs).toBeLessThan(2000)
})

it('a template of a task that doubles a text ends in one clear error', async () => {
  writeFileSync(join(cwd, 'documents.jsonl'), `${JSON.stringify({ question: 'a word', answer: 0 })}\n`)
  const task = {
    ...{ task: 'mine', dataset_path: 'json', dataset_kwargs: { data_files: { test: 'documents.jsonl' } } },
    ...{ output_type: 'multiple_choice', test_split: 'test', doc_to_choice: ['no', 'yes'], doc_to_target: 'answer' },
    doc_to_text: TASK_TEMPLATES['a text that ~ doubles'],
  }
  writeFileSync(join(cwd, 'task.yaml'), JSON.stringify(task))
  const { exitCode, stderr } = await runProgram([...BASICS, makeModel('plain', ''), '--task', 'task.yaml'], { cwd })
  expect(exitCode).toBe(1)
  expect(stderr).toMatch(/^error: task\.yaml: doc_to_text: it makes a text or list of more than \d+ characters/)
})
