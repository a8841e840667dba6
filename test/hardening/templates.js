// Runs the program on hostile templates of chats and tasks. Each must end in one clear error within 10 seconds:
//   npm run build && node test/hardening/templates.js [WORDS OF A NAME]
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CHAT_TEMPLATES, TASK_TEMPLATES } from './hostile-templates.js'

const LONGEST_MS = 10_000
const BIN = fileURLToPath(new URL('../../bin/layerprune.js', import.meta.url))
const LLAMA = fileURLToPath(new URL('../fixtures/families/llama', import.meta.url))
const only = process.argv[2] ?? ''

const root = mkdtempSync(join(tmpdir(), 'layerprune-templates-'))
process.on('exit', () => rmSync(root, { recursive: true, force: true }))
const model = join(root, 'model')
cpSync(LLAMA, model, { recursive: true })
const config = JSON.parse(readFileSync(join(model, 'tokenizer_config.json'), 'utf8'))
const chat = [
  { role: 'user', content: 'Hello' },
  { role: 'assistant', content: 'Good day' },
]
const chats = join(root, 'chats.jsonl')
writeFileSync(chats, `${JSON.stringify({ messages: chat })}\n`.repeat(4))
const documents = join(root, 'documents.jsonl')
writeFileSync(documents, `${JSON.stringify({ question: 'a word '.repeat(14_000), answer: 0 })}\n`.repeat(4))

function ofChat(template) {
  writeFileSync(join(model, 'tokenizer_config.json'), JSON.stringify({ ...config, chat_template: template }))
  return ['--dataset', chats, '--dataset-column', 'messages']
}

function ofTask(template) {
  const task = join(root, 'task.yaml')
  const keys = {
    ...{ task: 'mine', dataset_path: 'json', dataset_kwargs: { data_files: { test: documents } } },
    ...{ output_type: 'multiple_choice', test_split: 'test', doc_to_choice: ['no', 'yes'], doc_to_target: 'answer' },
  }
  writeFileSync(task, JSON.stringify({ ...keys, doc_to_text: template }))
  return ['--task', task]
}

/** Runs `evaluate`. */
function run(args) {
  return new Promise((resolve) => {
    const startMs = performance.now()
    const child = spawn(process.execPath, [BIN, 'evaluate', '--quiet', '--model', model, '--threads', '1', ...args])
    let stderr = ''
    child.stdout.resume()
    child.stderr.on('data', (text) => {
      stderr += text
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), 3 * LONGEST_MS)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ exit: signal ?? code, ms: Math.round(performance.now() - startMs), stderr })
    })
  })
}

const rows = []
for (const [kind, templates, prepare] of [
  ['chat', CHAT_TEMPLATES, ofChat],
  ['task', TASK_TEMPLATES, ofTask],
]) {
  for (const [name, template] of Object.entries(templates)) {
    if (!name.includes(only)) continue
    const { exit, ms, stderr } = await run(prepare(template))
    const errors = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('hint: '))
    const isRight = exit === 1 && ms < LONGEST_MS && errors.length === 1 && /^error: (?!unexpected)/.test(errors[0])
    if (!isRight) process.exitCode = 1
    rows.push({ right: isRight, kind, name, exit, ms, error: errors.join(' | ').replaceAll(root, '').slice(0, 180) })
  }
}
console.table(rows)
