import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { beforeAll, describe, expect, it } from 'vitest'
import { LayerpruneError, UsageError } from '../../../src/base/errors.js'
import { formatFailure, setFlags } from '../../../src/cli/terminal/output.js'
import { ROOT } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

describe('formatFailure', () => {
  it('says what is wrong and what to do, one line each', () => {
    const error = new LayerpruneError('a.jsonl, line 3: expected an object,\n  found \u001b[31m[1, 2]', {
      hint: 'name the column\nwith --dataset-column',
    })
    expect(formatFailure(error)).toBe(
      'error: a.jsonl, line 3: expected an object, found \ufffd[31m[1, 2]\n' +
        'hint: name the column with --dataset-column',
    )
    expect(formatFailure(new UsageError('no'))).toBe('error: no')
  })

  it('names options of the library by their flags', () => {
    setFlags(new Map([['maxMemory', '--max-memory']]))
    const error = new LayerpruneError('`maxMemory: 4GB` was given', {
      hint: 'omit `maxMemory`, not `other: 1`',
    })
    expect(formatFailure(error)).toBe('error: --max-memory 4GB was given\nhint: omit --max-memory, not `other: 1`')
    setFlags(new Map())
  })

  it('calls a fault of ours unexpected', () => {
    const hint = 'hint: run it again with LAYERPRUNE_DEBUG=1 and report what it prints'
    expect(formatFailure(new TypeError('x is undefined'))).toBe(`error: unexpected: x is undefined\n${hint}`)
    expect(formatFailure(new RangeError())).toBe(`error: unexpected: RangeError\n${hint}`)
    expect(formatFailure('thrown text')).toBe(`error: unexpected: thrown text\n${hint}`)
  })

  it.each([
    new RangeError('WebAssembly.Instance(): Out of memory: Cannot allocate Wasm memory for new instance'),
    new RangeError('Array buffer allocation failed'),
    Object.assign(new Error('mmap failed'), { code: 'ENOMEM', syscall: 'mmap' }),
    new LayerpruneError('ONNX Runtime cannot run the graph: std::bad_alloc', {
      hint: 'the graph or its weights may be damaged',
      cause: new Error('std::bad_alloc'),
    }),
  ])('says that memory ran out: %s', (error) => {
    expect(formatFailure(error)).toBe(
      `error: memory ran out: ${error.message}\nhint: smaller --batch-size or --max-length, or --max-memory, take less; a limit such as ulimit -v counts too`,
    )
  })

  it('takes no name of a file for memory that ran out', () => {
    const cause = Object.assign(new Error("ENOENT: open 'out of memory'"), {
      code: 'ENOENT',
      syscall: 'open',
    })
    expect(formatFailure(new LayerpruneError('cannot read out of memory', { cause }))).toBe(
      'error: cannot read out of memory',
    )
  })

  it('shows stack and cause in debug only', () => {
    const error = new LayerpruneError('cannot write x', { cause: new Error('ENOSPC of the disk') })
    expect(formatFailure(error)).toBe('error: cannot write x')
    const lines = formatFailure(error, { debug: true }).split('\n')
    expect(lines[0]).toBe('error: cannot write x')
    expect(lines.some((line) => /^ +at /.test(line))).toBe(true)
    expect(lines.some((line) => line.includes('ENOSPC of the disk'))).toBe(true)
  })

  it('colours the words in front only', () => {
    const error = new LayerpruneError('no', { hint: 'yes' })
    expect(formatFailure(error, { color: true })).toBe('\u001b[31merror:\u001b[39m no\n\u001b[2mhint:\u001b[22m yes')
  })
})

describe.skipIf(process.platform === 'win32')('in a process of its own', () => {
  let folder: string
  beforeAll(async () => {
    folder = makeTempFolder()
    await writeFile(join(folder, 'package.json'), '{"type":"module"}')
    for (const name of ['base/errors', 'base/clean-text', 'cli/terminal/output', 'cli/terminal/color']) {
      const source = await readFile(join(ROOT, `src/${name}.ts`), 'utf8')
      const { outputText } = ts.transpileModule(source, {
        compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
      })
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, `${name}.js`), outputText)
    }
  })

  const run = async (code: string, redirect = '', env: NodeJS.ProcessEnv = {}) => {
    const main = join(folder, 'main.js')
    const imports = `import * as output from './cli/terminal/output.js'\nimport { UsageError } from './base/errors.js'\n`
    await writeFile(main, `${imports}output.guardOutput()\n${code}`)
    return new Promise<{ stdout: string; stderr: string; code: number }>((resolve) => {
      const shell = `set -o pipefail; '${process.execPath}' '${main}' ${redirect}`
      execFile('bash', ['-c', shell], { env: { ...process.env, ...env }, maxBuffer: 1e8 }, (error, stdout, stderr) =>
        resolve({ stdout, stderr, code: error === null ? 0 : Number(error.code) }),
      )
    })
  }
  const long = `await output.printResult(('x'.repeat(99) + '\\n').repeat(50_000))`

  it('hands over a long result whole before the process ends', async () => {
    const { stdout, code } = await run(`${long}; process.exitCode = 3`, '| (sleep 0.2; cat)')
    expect(stdout.length).toBe(5_000_000)
    expect(code).toBe(3)
  })

  it('ends quietly when the reader leaves, and finishes its work', async () => {
    const { stdout, stderr, code } = await run(`${long}; ${long}; output.printNote('files are written')`, '| head -n 1')
    expect(stdout).toBe(`${'x'.repeat(99)}\n`)
    expect(stderr).toBe('files are written\n')
    expect(code).toBe(0)
  })

  it.skipIf(!existsSync('/dev/full'))('fails where the result cannot be written', async () => {
    const { stderr, code } = await run(`await output.printResult('text')`, '> /dev/full')
    expect(stderr).toMatch(/^error: cannot write to standard output: .*ENOSPC.*\n$/)
    expect(code).toBe(1)
  })

  it('keeps the result on stdout and everything else on stderr, notes only when not quiet', async () => {
    const code = `
      output.printNote('reading')
      output.setQuiet(true)
      output.printNote('not seen')
      output.printWarning('two\\nlines')
      output.printFailure(new UsageError('wrong', { hint: 'right' }))
      await output.printResult('result')`
    const { stdout, stderr } = await run(code, '', { NO_COLOR: '1', FORCE_COLOR: undefined })
    expect(stdout).toBe('result\n')
    expect(stderr).toBe('reading\nwarning: two lines\nerror: wrong\nhint: right\n')
  })

  it('prints the stack with LAYERPRUNE_DEBUG=1', async () => {
    const code = `output.printFailure(new UsageError('wrong'))`
    const { stderr } = await run(code, '', { LAYERPRUNE_DEBUG: '1' })
    expect(stderr).toMatch(/wrong\n[\s\S]*main\.js:\d+/)
  })
})
