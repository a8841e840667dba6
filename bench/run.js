/**
 * Runs the benches one after the other and puts what they find into the table of docs/benchmarks.md:
 *
 *   npm run bench -- --model M --dataset texts.jsonl [--python VENV/bin/python] [--only NAME,NAME] [--runs 3]
 *     [--task-data FOLDER] [--output docs/benchmarks.md] [--small]
 *
 * --list names the benches and --only takes some of them; one that takes hours runs only if it is named. Those that
 * compare with Python are skipped if it lacks what they import. The rows of a bench are in the table as soon as it ends:
 * those of this machine are replaced and those of other machines kept. --task-data is a folder with the documents of
 * arc_easy, a file for each split, if not those of the Hub are wanted. --small shows in seconds whether the benches work:
 * its figures mean nothing.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { BENCHES } from './benches.js'

const PAGE = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url))
const HEAD = ['bench', 'what', 'layerprune', 'compared with', 'ratio', 'machine', 'date']

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    dataset: { type: 'string' },
    python: { type: 'string' },
    only: { type: 'string' },
    runs: { type: 'string', default: '3' },
    'task-data': { type: 'string' },
    output: { type: 'string', default: PAGE },
    small: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
})
if (values.list) {
  for (const { name, about } of BENCHES) console.log(`${name.padEnd(16)}  ${about}`)
} else {
  runAll(chooseBenches())
}

function chooseBenches() {
  if (values.only === undefined) return BENCHES.filter(({ isLong }) => !isLong)
  const names = values.only.split(',')
  const unknown = names.find((name) => !BENCHES.some((known) => known.name === name))
  if (unknown !== undefined) {
    console.error(`error: no bench is named ${unknown}: --list names all`)
    process.exit(2)
  }
  return BENCHES.filter(({ name }) => names.includes(name))
}

function runAll(benches) {
  const folder = mkdtempSync(join(tmpdir(), 'layerprune-bench-'))
  try {
    for (const bench of benches) {
      const missing = findMissing(bench)
      const rows = missing === undefined ? runBench(bench, folder) : []
      if (missing !== undefined) console.log(`${bench.name}: skipped, it needs ${missing}`)
      if (rows.length > 0) writeTable(rows)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** What a bench needs and was not given; undefined if it can run. */
function findMissing({ needs = [], imports }) {
  const flag = needs.find((name) => values[name] === undefined)
  if (flag !== undefined) return `--${flag}`
  if (imports === undefined) return undefined
  if (values.python === undefined) return `--python, a Python with ${imports.join(' and ')}`
  const { status } = spawnSync(values.python, ['-c', `import ${imports.join(', ')}`])
  return status === 0 ? undefined : `${imports.join(' and ')} in ${values.python}`
}

/** Rows of the table; a bench that fails sets the exit code and has none. */
function runBench({ name, script, args }, folder) {
  console.log(`\n${name}`)
  const figures = join(folder, `${name}.json`)
  const path = fileURLToPath(new URL(script, import.meta.url))
  const { status } = spawnSync(process.execPath, [path, ...args(values, folder)], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, LAYERPRUNE_BENCH_FIGURES: figures },
  })
  if (status !== 0 || !existsSync(figures)) {
    console.error(`error: ${name} ended with ${status}`)
    process.exitCode = 1
    return []
  }
  const found = JSON.parse(readFileSync(figures, 'utf8'))
  const date = new Date().toISOString().slice(0, 10)
  return found.map(({ what, layerprune, other, ratio }) =>
    [name, what, layerprune, other, ratio, describeMachine(), date].map((cell) => cell.replaceAll('|', '/')),
  )
}

function describeMachine() {
  const processor = cpus()[0].model.trim()
  return `${processor}, ${availableParallelism()} cores, ${(totalmem() / 1e9).toFixed(0)} GB`
}

function writeTable(rows) {
  const page = readFileSync(values.output, 'utf8')
  const [start, end] = ['<!-- bench -->', '<!-- /bench -->'].map((mark) => page.indexOf(mark))
  if (start < 0 || end < start) throw new Error(`${values.output} has no <!-- bench --> ... <!-- /bench -->`)
  const keyOf = (row) => `${row[HEAD.indexOf('bench')]}\n${row[HEAD.indexOf('machine')]}`
  const replaced = new Set(rows.map(keyOf))
  const old = page
    .slice(start, end)
    .split('\n')
    .filter((line) => line.startsWith('| '))
  const kept = old
    .slice(2)
    .map((line) => line.slice(2, -2).split(' | '))
    .filter((row) => !replaced.has(keyOf(row)))
  const order = (row) => BENCHES.findIndex(({ name }) => name === row[0])
  const all = [...kept, ...rows].sort((a, b) => order(a) - order(b))
  const lines = [HEAD, HEAD.map((name) => (name === 'ratio' ? '---:' : '---')), ...all].map(
    (row) => `| ${row.join(' | ')} |`,
  )
  writeFileSync(values.output, `${page.slice(0, start)}<!-- bench -->\n${lines.join('\n')}\n${page.slice(end)}`)
  console.log(`wrote ${rows.length} rows to ${values.output}`)
}
