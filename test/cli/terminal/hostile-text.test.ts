import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { cleanLibraryLogs } from '../../../src/base/clean-library-logs.js'
import { LayerpruneError } from '../../../src/base/errors.js'
import { createBar } from '../../../src/cli/terminal/bar.js'
import { paint } from '../../../src/cli/terminal/color.js'
import * as output from '../../../src/cli/terminal/output.js'
import { createProgress } from '../../../src/cli/terminal/progress.js'

const codes = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)
const ESCAPES = '\u001b[2J \u001b]0;title\u0007 \u001b[31mred \u009b31m \u001bc'
const CONTROLS = String.fromCodePoint(...codes(0, 31), ...codes(0x7f, 0x9f))
const DIRECTIONS = String.fromCodePoint(0x61c, 0x200e, ...codes(0x2028, 0x202e), ...codes(0x2066, 0x2069))
const HOSTILE = `a${ESCAPES}${CONTROLS}${DIRECTIONS}\ufeff\nerror: forged\tz`
/** What no printed text may hold. */
const STEERING = /[^\P{Cc}\n\t]|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u

const printed = { stdout: '', stderr: '' }
beforeEach(() => {
  vi.stubEnv('FORCE_COLOR', '0')
  for (const name of ['stdout', 'stderr'] as const) {
    printed[name] = ''
    vi.spyOn(process[name], 'write').mockImplementation((text: unknown, done?: unknown) => {
      printed[name] += text
      if (typeof done === 'function') done()
      return true
    })
  }
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  output.setQuiet(false)
})

const found = { [HOSTILE]: HOSTILE, list: [HOSTILE] }
const CALLS: Record<string, () => unknown> = {
  printResult: () => output.printResult(HOSTILE),
  printNote: () => output.printNote(HOSTILE),
  printWarning: () => output.printWarning(HOSTILE),
  printFailure: () => output.printFailure(new LayerpruneError(HOSTILE, { hint: HOSTILE })),
  printDocument: () => output.printDocument(found, {}, (shown) => `${HOSTILE} ${Object.entries(shown)}`),
}

describe('text from the files of strangers', () => {
  it('is tested with every function that prints', () => {
    expect(Object.keys(output).filter((name) => name.startsWith('print'))).toEqual(
      expect.arrayContaining(Object.keys(CALLS)),
    )
    expect(Object.keys(output).filter((name) => name.startsWith('print'))).toHaveLength(Object.keys(CALLS).length)
  })

  it.each(Object.entries(CALLS))('cannot steer the terminal by %s', async (_, print) => {
    await print()
    const text = printed.stdout + printed.stderr
    expect(text).toContain('forged')
    expect(text).not.toMatch(STEERING)
  })

  it('cannot add a line to a note, a warning, an error, or what a document says', async () => {
    for (const name of ['printNote', 'printWarning', 'printFailure']) CALLS[name]!()
    await output.printDocument(found, {}, ({ list }) => list.join('\n'))
    expect(printed.stderr + printed.stdout).not.toMatch(/^error: forged/m)
  })

  it('cannot colour what a document says, which is coloured by us alone', async () => {
    vi.stubEnv('FORCE_COLOR', '1')
    await output.printDocument(found, {}, ({ list }, { color }) => `${paint('bold', 'ours', color)} ${list}`)
    expect(printed.stdout.split('\u001b')).toHaveLength(3)
    expect(printed.stdout).toContain('\u001b[1mours\u001b[22m a\ufffd[2J')
  })

  it('keeps its meaning in JSON, escaped', async () => {
    await output.printDocument(found, { json: true }, () => 'not asked for')
    expect(printed.stdout).not.toMatch(STEERING)
    expect(JSON.parse(printed.stdout)).toEqual(found)
  })

  it('cannot steer the terminal by the stack of LAYERPRUNE_DEBUG', () => {
    vi.stubEnv('LAYERPRUNE_DEBUG', '1')
    output.printFailure(new Error(HOSTILE, { cause: new Error(HOSTILE) }))
    expect(printed.stderr).toContain(' at ')
    expect(printed.stderr).not.toMatch(STEERING)
  })

  it('cannot steer the terminal by the detail of a progress bar', () => {
    const stream = Object.assign(new PassThrough(), {
      isTTY: true,
      columns: 500,
    }) as unknown as NodeJS.WriteStream
    const now = () => 0
    const bar = createProgress({ quiet: false, stream, bar: createBar(stream, now), now })
    bar.update({ phase: 'distances', done: 1, total: 2, unit: 'text', detail: HOSTILE })
    bar.stop()
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the bar itself moves the cursor
    const text = String(stream.read()).replace(/\u001b(\[\d*[A-Z]|\d)/g, '')
    expect(text).toContain('a\ufffd[2J')
    expect(text).not.toMatch(STEERING)
  })

  it('cannot steer the terminal by the warnings of a library', () => {
    const before = { ...console }
    try {
      const lines: unknown[][] = []
      console.error = (...words) => lines.push(words)
      cleanLibraryLogs()
      console.warn('unknown class', HOSTILE)
      console.log(HOSTILE)
      expect(lines).toHaveLength(2)
      for (const [pattern, line] of lines) {
        expect(pattern).toBe('%s')
        expect(line).toMatch(/^warning: .*forged z$/)
        expect(line).not.toMatch(STEERING)
      }
    } finally {
      Object.assign(console, before)
    }
  })
})

it('a result keeps its own lines and tabs', async () => {
  await output.printResult('a\n\tb\n')
  expect(printed.stdout).toBe('a\n\tb\n')
})
