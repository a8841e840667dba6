import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FIXTURES, TEXTS } from '../../support/paths.js'
import { runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const cwd = makeTempFolder()
writeFileSync(join(cwd, 'chats.jsonl'), `${JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }] })}\n`)
const TASK = {
  ...{ task: 'mine', dataset_path: 'json', dataset_kwargs: { data_files: { test: 'data.jsonl' } } },
  ...{ output_type: 'multiple_choice', test_split: 'test', doc_to_choice: ['no', 'yes'], doc_to_target: 'answer' },
}
writeFileSync(join(cwd, 'task.yaml'), JSON.stringify({ ...TASK, doc_to_text: 'question' }))
writeFileSync(join(cwd, 'including.yaml'), JSON.stringify({ ...TASK, include: 'included.yaml' }))

const KINDS: Record<string, (path: string) => void> = {
  'a named pipe': (path) => execFileSync('mkfifo', [path]),
  'a device': (path) => symlinkSync('/dev/zero', path),
  'a folder': (path) => mkdirSync(path),
}
const EVALUATE = ['evaluate', '--model', 'model', '--quiet', '--dataset', TEXTS]
const CHATS = ['evaluate', '--model', 'model', '--quiet', '--dataset', 'chats.jsonl', '--dataset-column', 'messages']
const TASKS = ['evaluate', '--model', 'model', '--quiet', '--task']

describe.each(Object.keys(KINDS))('%s', (kind) => {
  it.each([
    ['model/config.json', EVALUATE],
    ['model/tokenizer.json', EVALUATE],
    ['model/tokenizer_config.json', EVALUATE],
    ['model/special_tokens_map.json', CHATS],
    ['model/chat_template.jinja', CHATS],
    ['mine.yaml', [...TASKS, 'mine.yaml']],
    ['included.yaml', [...TASKS, 'including.yaml']],
  ])('in the place of %s is refused in one line', async (path, args) => {
    rmSync(join(cwd, 'model'), { recursive: true, force: true })
    cpSync(join(FIXTURES, 'families/llama'), join(cwd, 'model'), { recursive: true })
    mkdirSync(dirname(join(cwd, path)), { recursive: true })
    rmSync(join(cwd, path), { recursive: true, force: true })
    KINDS[kind]!(join(cwd, path))
    const { exitCode, stderr } = await runProgram(args, { cwd })
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringMatching(
        new RegExp(`^error: \\S*(${path.split('/').at(-1)}|/dev/zero): expected a file, found ${kind}\nhint: `),
      ),
    })
  })
})

it.each(['a named pipe', 'a device'])('%s in the place of a saved result is refused in one line', async (kind) => {
  rmSync(join(cwd, 'result.json'), { force: true })
  KINDS[kind]!(join(cwd, 'result.json'))
  const { exitCode, stderr } = await runProgram(['slice-config', '--from', 'result.json'], { cwd })
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringMatching(/^error: .*expected a file/) })
})

it.each(['a named pipe', 'a device'])('%s beside the data of a task is refused', async (kind) => {
  rmSync(join(cwd, 'data.jsonl'), { force: true })
  KINDS[kind]!(join(cwd, 'data.jsonl'))
  const { exitCode, stderr } = await runProgram([...TASKS, 'task.yaml'], { cwd })
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringMatching(/^error: .*expected a file/) })
})

it('files of a task that include each other twice are read once, and too many are refused', async () => {
  const write = (name: string, keys: object) => writeFileSync(join(cwd, name), JSON.stringify(keys))
  for (let level = 0; level < 24; level++) {
    write(`double-${level}.yaml`, { include: [`double-${level + 1}.yaml`, `double-${level + 1}.yaml`] })
  }
  write('double-24.yaml', TASK)
  const { stderr } = await runProgram([...TASKS, 'double-0.yaml'], { cwd })
  expect(stderr).toMatch(/^error: double-0\.yaml: doc_to_text is missing\n$/)
  for (let level = 0; level < 200; level++) write(`long-${level}.yaml`, { include: `long-${level + 1}.yaml` })
  const { stderr: refused } = await runProgram([...TASKS, 'long-0.yaml'], { cwd })
  expect(refused).toMatch(/^error: \S*long-0\.yaml includes more than 99 files\n$/)
})

it.each([
  ['brackets', `choices: ${'['.repeat(30_000)}`, /brackets\.yaml: /],
  ['dashes', '- '.repeat(30_000), /dashes\.yaml: /],
  ['aliases', 'a: &a [x]\nb: &b [*a, *a]\n'.concat('c: [*b]\n'), /aliases\.yaml: [abc] is not understood/],
  ['a complex key', '? [a, b]\n: c\n', /a complex key\.yaml: \[ a, b \] is not understood\n$/],
  ['a name of all objects', JSON.stringify({ ...TASK, doc_to_text: 'a', task: '__proto__' }), /must be another name/],
])('a task of %s ends in one clear error', async (name, text, problem) => {
  writeFileSync(join(cwd, `${name}.yaml`), text)
  const { exitCode, stderr } = await runProgram([...TASKS, `${name}.yaml`], { cwd })
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringMatching(problem) })
  expect(stderr).toMatch(/^error: .*\n$/)
})
