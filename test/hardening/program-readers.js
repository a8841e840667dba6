// Strangers' programs and what they run on: templates of chats, tasks; and adapters.
import { join } from 'node:path'
import { findTasks } from '../../dist/jobs/tasks/find-tasks.js'
import { loadTask } from '../../dist/jobs/tasks/load-task.js'
import { createChatWriter } from '../../dist/texts/tokens/chat-writer.js'
import { measure } from './measure.js'
import { mutateBytes } from './mutate.js'
import { mutateNumbers, mutateTexts } from './mutate-json.js'
import { mutateTask, mutateTemplate } from './mutate-template.js'
import { families, listFixtures, readFixture } from './sound-files.js'

const chats = JSON.parse(readFixture('chats.json'))
const chat = chats[0].chat

const DOCUMENTS = Buffer.from(
  ['{"question": "Is it a mill?", "label": 1, "options": ["no", "yes"]}', '{"question": "x", "label": 0}'].join('\n'),
)
const TASK = Buffer.from(`task: mine
dataset_path: json
dataset_kwargs: { data_files: { test: documents.jsonl } }
output_type: multiple_choice
test_split: test
doc_to_text: "Question: {{question.strip()}}\\nAnswer:"
doc_to_choice: ["no", "yes"]
doc_to_target: label
num_fewshot: 1
description: "{% if question is defined %}Answer.{% endif %}\\n\\n"
`)

async function writeChat(folder) {
  const text = await createChatWriter(() => folder)(chat, 'chats.jsonl:1')
  if (typeof text !== 'string') throw new TypeError('no text')
}

async function readTask(folder) {
  const { tasks } = await findTasks([join(folder, 'task.yaml')])
  const data = join(folder, 'documents.jsonl')
  const { documents } = await loadTask(tasks[0], { taskData: { [tasks[0].name]: data } })
  for (const { requests } of documents) {
    for (const { context, continuation } of requests) {
      if (typeof context !== 'string' || typeof continuation !== 'string') throw new TypeError('no texts')
    }
  }
}

/** An adapter beside its base, which its config names. */
function ofAdapter(name, damaged, mutate) {
  const base = Object.entries(families[name]).map(([file, bytes]) => [`base/${file}`, bytes])
  const own = listFixtures(`adapters/${name}`).map((file) => [file, readFixture(`adapters/${name}/${file}`)])
  const files = { ...Object.fromEntries(base), ...Object.fromEntries(own) }
  const config = JSON.parse(files['adapter_config.json'])
  const named = JSON.stringify({ ...config, base_model_name_or_path: 'base' })
  return {
    variants: { sound: { files: { ...files, 'adapter_config.json': Buffer.from(named) }, damaged } },
    mutate,
    read: (folder) => measure(folder, { base: join(folder, 'base') }),
  }
}

export function makeProgramReaders() {
  const files = { 'task.yaml': TASK, 'documents.jsonl': DOCUMENTS }
  return {
    'chat template': {
      variants: Object.fromEntries(
        chats.map(({ name, template }) => [
          name,
          {
            files: { ...families.llama, 'chat_template.jinja': Buffer.from(template) },
            damaged: 'chat_template.jinja',
          },
        ]),
      ),
      mutate: mutateTemplate,
      read: writeChat,
      // some refuse the chat of the others
      mayRefuse: true,
    },
    'task of a file': { variants: { sound: { files, damaged: 'task.yaml' } }, mutate: mutateTask, read: readTask },
    'documents of a task': {
      variants: { sound: { files, damaged: 'documents.jsonl' } },
      mutate: mutateBytes,
      read: readTask,
    },
    'adapter config': ofAdapter('llama', 'adapter_config.json', mutateBytes),
    'numbers in an adapter config': ofAdapter('llama', 'adapter_config.json', mutateNumbers),
    'texts in an adapter config': ofAdapter('qwen2', 'adapter_config.json', mutateTexts),
    'adapter weights': ofAdapter('gpt2', 'adapter_model.safetensors', mutateBytes),
  }
}
