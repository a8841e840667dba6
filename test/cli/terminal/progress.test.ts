import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Progress } from '../../../src/base/progress.js'
import { createBar } from '../../../src/cli/terminal/bar.js'
import { printNote } from '../../../src/cli/terminal/output.js'
import { createProgress } from '../../../src/cli/terminal/progress.js'
import { describeProgress, formatProgress, type ProgressLine } from '../../../src/cli/terminal/progress-line.js'
import { FIXTURES, PROGRAM, TEXTS } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'
import { Screen } from '../../support/watched-screen.js'

const TEXTS_DONE: Progress = { phase: 'distances', done: 64, total: 128, unit: 'text' }

/** A line that is read 40 s after its phase began. */
function makeLine(changes: Partial<ProgressLine>): ProgressLine {
  return { ...TEXTS_DONE, startedAtMs: -40_000, endsAtMs: null, unitsPerSecond: null, ...changes }
}

describe('describeProgress', () => {
  it.each([
    [{}, 'distances: 64 of 128 texts (50%), 0:40 elapsed'],
    [{ unitsPerSecond: 3.2, endsAtMs: 20_000 }, 'distances: 64 of 128 texts (50%), 3.2 texts/s, 20 s left'],
    [{ done: 12.5, endsAtMs: 271_000 }, 'distances: 12 of 128 texts (9%), 4 min 31 s left'],
    [{ endsAtMs: 7_980_000 }, 'distances: 64 of 128 texts (50%), 2 h 13 min left, 0:40 elapsed'],
    [{ endsAtMs: -3000 }, 'distances: 64 of 128 texts (50%), 1 s left, 0:40 elapsed'],
    [{ endsAtMs: -100 }, 'distances: 64 of 128 texts (50%), 1 s left, 0:40 elapsed'],
    [{ done: 128, endsAtMs: 0 }, 'distances: 128 of 128 texts (100%), 0:40 elapsed'],
    [{ total: null, unitsPerSecond: 120 }, 'distances: 64 texts, 120 texts/s, 0:40 elapsed'],
    [{ total: 2251, isEstimate: true }, 'distances: 64 of about 2,251 texts (2%), 0:40 elapsed'],
    [{ total: 1, done: 1, unit: 'matrix' }, 'distances: 1 of 1 matrix (100%), 0:40 elapsed'],
    [{ total: 269, done: 12, unit: 'MB' }, 'distances: 12 of 269 MB (4%), 0:40 elapsed'],
    [{ endsAtMs: 9000, next: 'perplexity' }, 'distances: 64 of 128 texts (50%), 9 s left, then perplexity'],
  ] satisfies [Partial<ProgressLine>, string][])('%j is %j', (changes, text) => {
    expect(describeProgress(makeLine(changes), 0)).toBe(text)
  })

  it('says what cannot be counted in words', () => {
    const line = makeLine({ phase: 'loading the model', total: null, unit: undefined })
    expect(describeProgress(line, 3_600_000)).toBe('loading the model: 1:00:40 elapsed')
    const repair = { phase: 'repair', detail: 'layer 21, ridge 0.03', isMost: true, endsAtMs: 5000 }
    expect(describeProgress({ ...line, ...repair }, 0)).toBe(
      'repair: layer 21, ridge 0.03, at most 5 s left, 0:40 elapsed',
    )
  })
})

describe('formatProgress', () => {
  const line = makeLine({ unitsPerSecond: 3.2, endsAtMs: 20_000, detail: 'best so far layers 11..18' })
  it('draws a bar before the words', () => {
    expect(formatProgress(line, 0, 120)).toBe(
      `${'█'.repeat(15)}${'░'.repeat(15)} distances: 64 of 128 texts (50%), 3.2 texts/s, 20 s left, best so far layers 11..18`,
    )
  })

  it('omits the least important words first, and never exceeds the window', () => {
    const followed = { ...line, next: 'perplexity of 8 blocks' }
    const shown = [115, 105, 80, 45].map((width) => formatProgress(followed, 0, width).replace(/^[█░]+ /, ''))
    expect(shown).toEqual([
      'distances: 64 of 128 texts (50%), 3.2 texts/s, 20 s left, best so far layers 11..18, then perplexity of 8 blocks',
      'distances: 64 of 128 texts (50%), 20 s left, best so far layers 11..18, then perplexity of 8 blocks',
      'distances: 64 of 128 texts (50%), 20 s left, then perplexity of 8 blocks',
      'distances: 64 of 128 texts (50%), 20 s left',
    ])
    expect(formatProgress(followed, 0, 20)).toBe('distances: 64 of 128')
    const repair = {
      ...line,
      phase: 'repair',
      unit: undefined,
      detail: 'layer 21, ridge 3',
      endsAtMs: 720_000,
    }
    expect(formatProgress({ ...repair, isMost: true }, 0, 54)).toBe(
      'repair: layer 21, ridge 3, at most 12 min 0 s left',
    )
  })

  it('fills the bar by work, not by units', () => {
    expect(formatProgress({ ...line, share: 0.8, detail: undefined }, 0, 120)).toMatch(/^█{24}░{6} /)
  })
})

/** A stream that keeps what it is given. */
function makeStream(isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 80 }) as unknown as NodeJS.WriteStream
  let written = ''
  stream.on('data', (chunk) => {
    written += chunk
  })
  return { stream, written: () => written }
}

describe('createProgress', () => {
  afterEach(() => {
    vi.restoreAllMocks()
    vi.unstubAllEnvs()
  })

  it('draws on a terminal and leaves a clear line', () => {
    const { stream, written } = makeStream(true)
    let nowMs = 0
    const now = () => nowMs
    const progress = createProgress({ quiet: false, stream, bar: createBar(stream, now), now })
    progress.update({ ...TEXTS_DONE, done: 0 })
    nowMs = 20_000
    progress.update(TEXTS_DONE)
    progress.stop()
    expect(written()).toContain('distances: 64 of 128 texts (50%), 3.2 texts/s, 20 s left')
    expect(written().endsWith('\u001b[1G\u001b[2K')).toBe(true)
    expect(written()).not.toContain('\n')
    const { length } = written()
    progress.update({ ...TEXTS_DONE, done: 128 })
    expect(written()).toHaveLength(length)
  })

  it('makes way for a note and comes back beneath it', () => {
    const { stream, written } = makeStream(true)
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => stream.write(text))
    const now = () => 0
    const progress = createProgress({ quiet: false, stream, bar: createBar(stream, now), now })
    progress.update({ phase: 'reading texts', done: 0, total: null })
    printNote('loading took 2 s')
    progress.update({ phase: 'distances', done: 8, total: null, unit: 'text' })
    printNote('and so on')
    progress.stop()
    printNote('done')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal escapes are what is tested
    const screen = written().replace(/\u001b(\[\d*[A-Z]|\d)/g, '\r')
    expect(screen.split(/[\r\n]+/).filter((line) => line !== '')).toEqual([
      'reading texts: 0:00 elapsed',
      'loading took 2 s',
      'reading texts: 0:00 elapsed',
      'distances: 8 texts, 0:00 elapsed',
      'and so on',
      'distances: 8 texts, 0:00 elapsed',
      'done',
    ])
  })

  it.each([
    [false, 'xterm'],
    [true, 'dumb'],
  ])('writes a plain line every 30 s if the stream is a terminal: %s, %s', (isTTY, term) => {
    vi.stubEnv('TERM', term)
    const { stream, written } = makeStream(isTTY)
    const notes: unknown[] = []
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => notes.push(text) > 0)
    let nowMs = 0
    const progress = createProgress({ quiet: false, stream, now: () => nowMs })
    for (nowMs of [0, 1_000, 29_000, 31_000, 45_000, 62_000]) {
      progress.update({ ...TEXTS_DONE, done: nowMs / 1000 })
    }
    progress.stop()
    expect(notes).toEqual([
      'distances: 31 of 128 texts (24%), 1.0 texts/s, 97 s left\n',
      'distances: 62 of 128 texts (48%), 1.0 texts/s, 66 s left\n',
    ])
    expect(written()).toBe('')
  })

  it('is silent if quiet', () => {
    const { stream, written } = makeStream(true)
    const progress = createProgress({ quiet: true, stream, now: () => 0 })
    progress.update(TEXTS_DONE)
    progress.stop()
    expect(written()).toBe('')
  })

  it.skipIf(process.platform !== 'linux')('draws from a thread on a real terminal, on stderr alone', () => {
    const output = join(makeTempFolder(), 'result.json')
    const args = ['evaluate', '--model', join(FIXTURES, 'families/llama'), '--dataset', TEXTS, '--json']
    const command = [process.execPath, PROGRAM, ...args].map((word) => `'${word}'`).join(' ')
    const { stdout, status } = spawnSync('script', ['-qfec', `${command} > '${output}'`, '/dev/null'], {
      encoding: 'utf8',
      env: { ...process.env, TERM: 'xterm' },
    })
    expect(status).toBe(0)
    expect(JSON.parse(readFileSync(output, 'utf8'))).toHaveProperty('perplexity')
    expect(stdout).toMatch(/perplexity: \d+ of (about )?\d+ texts \(\d+%\)/)
    const screen = new Screen()
    screen.write(stdout)
    expect(screen.line).toBe('')
  })
})
