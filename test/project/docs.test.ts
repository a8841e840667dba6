import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeParquet } from '../support/hub/parquet-files.js'
import { filesOf } from '../support/hub/repos.js'
import { type HubServer, startHubServer } from '../support/hub/server.js'
import { LONG_TESTS } from '../support/long-tests.js'
import { FIXTURES, ROOT } from '../support/paths.js'
import { runProgram } from '../support/run-program.js'
import { blocksOf, readPage } from '../support/shown-text.js'
import { makeStandIn } from '../support/stand-in.js'
import { makeTempFolder } from '../support/temp-folder.js'

const run = promisify(execFile)
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'examples/README.md',
  'examples/engines/README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]
/** Commands that this file does not run: where something does, and what is written there. */
const RUN_ELSEWHERE: [command: RegExp, file: string, written?: string][] = [
  [/^git clone /, '.github/workflows/ci.yml', 'actions/checkout'],
  [/^npx --ignore-scripts layerprune --version$/, '.github/workflows/ci.yml', 'npx --yes --ignore-scripts'],
  [/^npm install .*layerprune$/, 'test/project/packed/install.ts', 'npm install --ignore-scripts'],
  [/^npm (ci --ignore-scripts|run build|link|run demo)$/, '.github/workflows/ci.yml'],
  [/^docker build /, '.github/workflows/ci.yml', 'docker build -t layerprune'],
  [/^docker run /, '.ci/image', 'run --rm'],
  [/^npm run bench /, 'test/project/bench.test.ts', 'bench/run.js'],
  [/^npm /, '.ci/run'],
  [/^(python3 -m venv|\.venv-interop\/bin\/pip) /, '.ci/run', 'test/interop/requirements.txt'],
  [/^LAYERPRUNE_PYTHON=/, '.ci/run', 'LAYERPRUNE_PYTHON='],
  [/^mergekit-yaml /, 'bench/prune-against-mergekit.js', 'mergekit-yaml'],
  [/^python recipe\/heal\.py$/, 'test/interop/check_recipe.py', 'heal.py'],
  [/^layerprune prune .* --repair --heal /, 'test/cli/commands/prune-heal.test.ts', "'--repair', '--heal'"],
  [/^node bench\/heal-table\.js /, 'bench/heal-table.js', 'repaired-healed'],
  [/^node bench\/strategies\.js /, 'bench/strategies.js', 'odd.jsonl'],
]
const LLAMA = join(FIXTURES, 'families/llama')
const ADAPTER = `${join(FIXTURES, 'adapters/llama')} --base ${LLAMA}`
/** Unless this is the long form: what is measured of a cut elsewhere. */
const FEWER: [command: RegExp, here: string][] = LONG_TESTS ? [] : [[/^layerprune prune .*/, '$& --no-speed']]
const SHORT_TRAINING = '--evaluate-size 8 --steps 2 --max-length 16'
/** What becomes of a command here: other and fewer texts, fewer cuts, one strategy of all, a model that is not trained. */
const STAND_INS: [command: RegExp, here: string][] = [
  ...FEWER,
  [/^npx --ignore-scripts layerprune (?!--version)/, 'layerprune '],
  [/(?<=head -n |tail -n \+)112/, '4'],
  [/--dataset-size (64|\d{3,})/, '--dataset-size 12'],
  [/--verify 8/, '--verify 2'],
  [/^layerprune sweep .*/, '$& --sizes 1,8 --verify-size 4'],
  [/--repair --dataset \S+/, '$& --dataset-size 16 --evaluate-size 8'],
  // training a small model, which takes a quarter of the time
  [/^layerprune heal --model \S+ (.*)/, `layerprune heal --model ${LLAMA} $1 ${SHORT_TRAINING}`],
  [/kjv\.jsonl/, 'texts.jsonl'],
  [/\S+my-adapter (.*)--layers-to-skip 8/, `${ADAPTER} $1--layers-to-skip 1`],
  [/\S+my-adapter --base \S+ (.*)--drop 12:20/, `${ADAPTER} $1--drop 1:2`],
  [/\S+\.gguf --drop 12:20/, 'llama.gguf --drop 1:2'],
  [/^node bench\/strategies\.js .*/, '$& --strategies angular --max-length 32 --evaluate-size 8'],
  [/^python recipe\/heal\.py$/, 'cp -r SmolLM2-pruned SmolLM2-pruned-healed-merged'],
]

let server: HubServer
let model: string
let texts: string[]
beforeAll(async () => {
  model = join(makeTempFolder(), 'stand-in')
  makeStandIn(model)
  const rows = readPage('examples/texts.jsonl').trim().split('\n')
  texts = rows.slice(0, 100).map((row) => (JSON.parse(row).text as string).slice(0, 24))
  server = await startHubServer()
  server.add(
    { type: 'model', id: 'HuggingFaceTB/SmolLM2-135M', files: filesOf(model) },
    {
      type: 'dataset',
      id: 'arcee-ai/sec-data-mini',
      files: {},
      parquet: { default: { train: [makeParquet(texts)] } },
    },
  )
})
afterAll(() => server.close())

/** A folder that looks like the root of the repository to an example, with the files that pages speak of. */
function makeRoot(): { cwd: string; env: Record<string, string> } {
  const cwd = makeTempFolder()
  for (const name of ['bench', 'examples']) symlinkSync(join(ROOT, name), join(cwd, name), 'junction')
  cpSync(model, join(cwd, 'SmolLM2-135M-Instruct'), { recursive: true })
  cpSync(join(FIXTURES, 'gguf/llama.gguf'), join(cwd, 'llama.gguf'))
  for (const name of ['texts.jsonl', 'kjv.jsonl']) {
    writeFileSync(join(cwd, name), texts.map((text) => `${JSON.stringify({ text })}\n`).join(''))
  }
  mkdirSync(join(cwd, 'bin'))
  symlinkSync(join(ROOT, 'bin/layerprune.js'), join(cwd, 'bin/layerprune'))
  const env = {
    ...(process.env as Record<string, string>),
    PATH: `${join(cwd, 'bin')}${delimiter}${process.env.PATH}`,
    HF_ENDPOINT: server.endpoint,
    HF_HOME: join(cwd, 'hub'),
    HF_HUB_OFFLINE: '0',
  }
  return { cwd, env }
}

/** Command lines of a page's shell blocks, without the comments at their ends. */
const commandsOf = (page: string) =>
  blocksOf(page, 'sh').flatMap((block) =>
    block
      .replaceAll('\\\n', ' ')
      .split('\n')
      .map((line) => line.replace(/ +#.*/, '').trim())
      .filter((line) => line !== ''),
  )

/** Runs a line in a shell, or what is no more than a command of the program by `runProgram`, which is faster. */
async function runLine(line: string, options: { cwd: string; env: Record<string, string> }): Promise<void> {
  const [program, ...args] = line.split(' ')
  const isPlain = program === 'layerprune' && /^[\w./:=, -]+$/.test(line)
  const outcome = isPlain
    ? await runProgram(args, options)
    : await run('bash', ['-euc', line], options).then(
        () => ({ exitCode: 0, stderr: '' }),
        ({ code, stderr }) => ({ exitCode: code, stderr }),
      )
  expect(outcome.exitCode, `${line}\n${outcome.stderr}`).toBe(0)
}

describe.each(PAGES.filter((page) => commandsOf(page).length > 0))('the commands of %s', (page) => {
  const isElsewhere = (command: string) => RUN_ELSEWHERE.some(([pattern]) => pattern.test(command))

  it('run, one after the other', async () => {
    const { cwd, env } = makeRoot()
    for (const line of commandsOf(page)) {
      const command = STAND_INS.reduce((text, [pattern, here]) => text.replace(pattern, here), line)
      if (isElsewhere(command)) continue
      await runLine(command, { cwd, env })
    }
  }, 120_000)

  it('or are run elsewhere', () => {
    for (const command of commandsOf(page).flatMap((line) => line.split(/ && /))) {
      const [, file, written = command] = RUN_ELSEWHERE.find(([pattern]) => pattern.test(command)) ?? []
      if (file !== undefined) expect(readPage(file).includes(written), `${file}: ${written}`).toBe(true)
    }
  })
})

/** What the README says to export, of the stand-in with a chat template. */
async function exportChat(cwd: string): Promise<void> {
  const folder = join(cwd, 'SmolLM2-135M-Instruct')
  const template = '{% for message in messages %}{{ message.role }}: {{ message.content }}{% endfor %}'
  writeFileSync(join(folder, 'chat_template.jinja'), template)
  const args = ['export', '--model', folder, '--to', 'onnx', '--dtype', 'q8', '--no-check', '-o', 'SmolLM2-onnx']
  const { exitCode, stderr } = await runProgram(args, { cwd })
  expect(exitCode, stderr).toBe(0)
}

describe.each(['README.md', 'docs/library.md'])('the code of %s', (page) => {
  const library = pathToFileURL(join(ROOT, 'dist/index.js')).href
  it('runs, one example after the other in a process', async () => {
    const { env } = makeRoot()
    const blocks = blocksOf(page, 'js')
    const folders = blocks.map((code) => {
      const { cwd } = makeRoot()
      const linked = code
        .replace("from 'layerprune'", `from '${library}'`)
        .replace("from '@huggingface/transformers'", `from '${import.meta.resolve('@huggingface/transformers')}'`)
      writeFileSync(join(cwd, 'example.mjs'), linked)
      return cwd
    })
    for (const [index, code] of blocks.entries()) {
      if (code.includes('./SmolLM2-onnx')) await exportChat(folders[index]!)
    }
    writeFileSync(
      join(folders[0]!, 'all.mjs'),
      `import { pathToFileURL } from 'node:url'
       for (const folder of ${JSON.stringify(folders)}) {
         process.chdir(folder)
         console.log('of ' + folder)
         await import(pathToFileURL(folder + '/example.mjs'))
       }`,
    )
    const { stdout } = await run(process.execPath, ['all.mjs'], { cwd: folders[0]!, env })
    const printed = stdout.split(/^of .*\n/m).slice(1)
    expect(printed).toHaveLength(blocks.length)
    for (const [index, text] of printed.entries()) {
      expect(text, blocks[index]).not.toBe('')
      expect(text, blocks[index]).not.toContain('undefined')
    }
  }, 120_000)
})

it('flags that pages name are flags of the program or of a bench', async () => {
  const { stdout } = await runProgram(['completion', 'bash'])
  const flags = [...stdout.matchAll(/--[a-z][\w-]*/g)].map(([flag]) => flag)
  const benches = readdirSync(join(ROOT, 'bench')).map((name) => readPage(`bench/${name}`))
  const benchFlags = benches.flatMap((text) =>
    [...text.matchAll(/'?([a-z][a-z-]+)'?: \{ type: '/g)].map(([, name]) => `--${name}`),
  )
  const known = new Set([...flags, ...benchFlags, '--model-path', '--ignore-scripts']) // PruneMe's word for --model, npm's own
  const programCode = (page: string) =>
    [...readPage(page).matchAll(/`{1,3}[^`]+`{1,3}/g)]
      .map(([code]) => code)
      .filter((code) => !/\b(node|npm|npx|python|docker) /.test(code))
  for (const page of PAGES) {
    const flags = programCode(page).flatMap((code) =>
      [...code.matchAll(/(?<![\w-])--[a-z][\w-]*/g)].map(([flag]) => flag.replaceAll(/(?<=\w)_/g, '-')),
    )
    expect(
      flags.filter((flag) => !known.has(flag)),
      page,
    ).toEqual([])
  }
})

it('pages lead to files that are there', () => {
  const found = PAGES.flatMap((page) => {
    const text = readPage(page)
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, link]) => join(dirname(page), link!))
    const paths = [...text.matchAll(/(?<![\w/.-])(?:src|test|bench|docs|examples|schemas)\/[\w./-]*\w/g)]
    return [...links, ...paths.map(([path]) => path)]
  })
  expect(found.length).toBeGreaterThan(40)
  expect(found.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
})
