import { execFile } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { LONG_TESTS } from '../support/long-tests.js'
import { EXAMPLES, FIXTURES, ROOT } from '../support/paths.js'
import { writeTaskData } from '../support/task-data.js'
import { makeTempFolder } from '../support/temp-folder.js'

const run = promisify(execFile)
const BENCH = join(ROOT, 'bench/run.js')
/** What the short form runs of the benches: one that measures in this process's program, one that needs Python. */
const SHORT = ['memory', 'prune']
const MARKS = ['<!-- bench -->', '<!-- /bench -->']
const OLD = '| memory | peak | 1 MB | 2 MB | 2.00 | another machine | 2025-01-01 |'

/** A page with a table that has a row of another machine. */
function writePage(): string {
  const path = join(makeTempFolder(), 'benchmarks.md')
  writeFileSync(path, ['# Benchmarks', MARKS[0], '| bench | x |', '| --- | --- |', OLD, MARKS[1], 'End'].join('\n'))
  return path
}

/** A folder of a Python that answers at once what the loops of the benches would print, and of mergekit. */
function makePython(): string {
  const folder = makeTempFolder()
  const standIn = join(ROOT, 'test/support/stand-in-python.js')
  for (const [name, script] of [
    ['python', `exec "${process.execPath}" "${standIn}" "$@"`],
    ['mergekit-yaml', 'mkdir -p "$2"'],
  ]) {
    writeFileSync(join(folder, name!), `#!/bin/sh\n${script}\n`)
    chmodSync(join(folder, name!), 0o755)
  }
  return join(folder, 'python')
}

const runBenches = (page: string, ...args: string[]) => run(process.execPath, [BENCH, '--output', page, ...args])

// the stand-ins are shell scripts
describe.skipIf(process.platform === 'win32')('npm run bench', () => {
  it('runs benches and puts their figures into the table, beside those of other machines', async () => {
    const page = writePage()
    const { stdout: list } = await runBenches(page, '--list')
    const names = list
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ')[0]!)
    const model = ['--model', join(FIXTURES, 'families/llama'), '--dataset', join(EXAMPLES, 'texts.jsonl')]
    const data = ['--task-data', writeTaskData(makeTempFolder(), 'arc_easy', 2)]
    const only = names.filter((name) => LONG_TESTS || SHORT.includes(name)).join(',')
    await runBenches(page, '--small', ...model, ...data, '--python', makePython(), '--only', only)
    const text = readFileSync(page, 'utf8')
    expect(text).toMatch(/^# Benchmarks\n<!-- bench -->\n\| bench \| what [\s\S]*<!-- \/bench -->\nEnd$/)
    const rows = text
      .split('\n')
      .filter((line) => /^\| [a-z]/.test(line))
      .slice(1)
    expect(rows).toContain(OLD)
    expect([...new Set(rows.map((row) => row.split(' ')[1]))].join(',')).toBe(only)
    for (const row of rows) {
      expect(row).toMatch(/^\|( [^|]* \|){6} \d{4}-\d\d-\d\d \|$/)
      expect(row).not.toMatch(/NaN|undefined|Infinity/)
    }
  })

  it('skips what it is not given, says so, and leaves the table as it is', async () => {
    const page = writePage()
    const before = readFileSync(page, 'utf8')
    const { stdout } = await runBenches(page, '--only', 'prune,memory')
    expect(stdout).toBe(
      'memory: skipped, it needs --model\nprune: skipped, it needs --python, a Python with mergekit\n',
    )
    expect(readFileSync(page, 'utf8')).toBe(before)
    await expect(runBenches(page, '--only', 'speed')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no bench is named speed'),
    })
  })
})
