import { PassThrough } from 'node:stream'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { printNote } from '../../src/terminal/output.js'
import { createProgress, describeProgress, formatProgress } from '../../src/terminal/progress.js'

describe('describeProgress', () => {
  it.each([
    [0, 128, 0, '0 of 128 texts (0%)'],
    [64, 128, 20_000, '64 of 128 texts (50%), 3.2 texts/s, 20 s left'],
    [127, 128, 1_000, '127 of 128 texts (99%), 127 texts/s, 1 s left'],
    [128, 128, 40_000, '128 of 128 texts (100%), 3.2 texts/s'],
    [10, 4000, 20_000, '10 of 4,000 texts (0%), 0.50 texts/s, 2 h 13 min left'],
    [1000, 2000, 600_000, '1,000 of 2,000 texts (50%), 1.7 texts/s, 10 min left'],
    [58, null, 20_000, '58 texts, 2.9 texts/s'],
    [12.5, 50, 5_000, '12 of 50 texts (25%), 2.5 texts/s, 15 s left'],
    [0, 0, 10, '0 of 0 texts (100%)'],
    [1, 1, 100, '1 of 1 text (100%), 10 texts/s'],
  ])('%s of %s texts after %i ms is %j', (done, total, elapsedMs, text) => {
    expect(describeProgress({ done, total, elapsedMs })).toBe(text)
  })
})

describe('formatProgress', () => {
  const state = { done: 64, total: 128, elapsedMs: 20_000 }
  it('draws a bar before the words', () => {
    expect(formatProgress({ ...state, width: 80 })).toBe(
      `${'█'.repeat(15)}${'░'.repeat(15)} 64 of 128 texts (50%), 3.2 texts/s, 20 s left`,
    )
    expect(formatProgress({ ...state, width: 56 })).toBe(
      '█████░░░░░ 64 of 128 texts (50%), 3.2 texts/s, 20 s left',
    )
  })
  it('never exceeds the window, and has no bar if the total is unknown', () => {
    expect(formatProgress({ ...state, width: 20 })).toBe('64 of 128 texts (50%')
    expect(formatProgress({ ...state, total: null, width: 80 })).toBe('64 texts, 3.2 texts/s')
  })
})

describe('a remark', () => {
  const state = { done: 64, total: 128, elapsedMs: 20_000, remark: 'best so far layers 11..18' }
  it('comes last, if there is room for all of it', () => {
    expect(describeProgress(state)).toBe(
      '64 of 128 texts (50%), 3.2 texts/s, 20 s left, best so far layers 11..18',
    )
    expect(formatProgress({ ...state, width: 90 })).toBe(
      `${'█'.repeat(9)}${'░'.repeat(8)} 64 of 128 texts (50%), 3.2 texts/s, 20 s left, best so far layers 11..18`,
    )
    expect(formatProgress({ ...state, width: 60 })).not.toContain('best')
  })
})

describe('createProgress', () => {
  afterEach(() => vi.restoreAllMocks())

  /** A stream that keeps what it is given, and the clock that goes with it. */
  const makeStream = (isTTY: boolean) => {
    const stream = Object.assign(new PassThrough(), { isTTY, columns: 80 }) as unknown as NodeJS.WriteStream
    let written = ''
    stream.on('data', (chunk) => {
      written += chunk
    })
    return { stream, written: () => written }
  }

  it('draws on a terminal and leaves a clear line', () => {
    const { stream, written } = makeStream(true)
    let nowMs = 0
    const progress = createProgress({ quiet: false, stream, now: () => nowMs })
    nowMs = 20_000
    progress.update(64, 128)
    progress.stop()
    expect(written()).toContain('64 of 128 texts (50%), 3.2 texts/s, 20 s left')
    expect(written().endsWith('\u001b[1G\u001b[2K')).toBe(true)
    expect(written()).not.toContain('\n')
    const length = written().length
    progress.update(128, 128)
    expect(written()).toHaveLength(length)
  })

  it('makes way for a note and comes back beneath it', () => {
    const { stream, written } = makeStream(true)
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => stream.write(text))
    const progress = createProgress({ quiet: false, stream, now: () => 0 })
    progress.update(8, null)
    printNote('loading took 2 s')
    printNote('and so on')
    progress.stop()
    printNote('done')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal escapes are what is tested
    const screen = written().replace(/\u001b(\[\d*[A-Z]|\d)/g, '\r')
    expect(screen.split(/[\r\n]+/).filter((line) => line !== '')).toEqual([
      '0 texts',
      '8 texts',
      'loading took 2 s',
      '8 texts',
      'and so on',
      '8 texts',
      'done',
    ])
  })

  it('writes a plain line every 30 s elsewhere', () => {
    const { stream, written } = makeStream(false)
    const notes: unknown[] = []
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => notes.push(text) > 0)
    let nowMs = 0
    const progress = createProgress({ quiet: false, stream, now: () => nowMs })
    for (nowMs of [1_000, 29_000, 31_000, 45_000, 62_000]) progress.update(nowMs / 1000, 128)
    progress.stop()
    expect(notes).toEqual([
      '31 of 128 texts (24%), 1.0 texts/s, 97 s left\n',
      '62 of 128 texts (48%), 1.0 texts/s, 66 s left\n',
    ])
    expect(written()).toBe('')
  })

  it('is silent if quiet', () => {
    const { stream, written } = makeStream(true)
    const progress = createProgress({ quiet: true, stream, now: () => 0 })
    progress.update(1, 2)
    progress.stop()
    expect(written()).toBe('')
  })
})
