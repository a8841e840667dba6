import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { measureSimilarity } from '../../../src/index.js'
import { FIXTURES, TEXTS } from '../../support/paths.js'

describe('a run without a limit of memory', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  /** Its notes on memory, with so much of it free. */
  async function notesOn(freeBytes: number): Promise<string[]> {
    vi.spyOn(process, 'availableMemory').mockReturnValue(freeBytes)
    const notes: string[] = []
    const model = join(FIXTURES, 'families/llama')
    await measureSimilarity({
      model,
      dataset: TEXTS,
      datasetSize: 2,
      layersToSkip: 1,
      onNote: (note) => notes.push(note),
    })
    return notes.filter((note) => note.includes('memory'))
  }

  it('says so if it takes more than is free', async () => {
    expect(await notesOn(50e6)).toEqual([
      expect.stringMatching(
        /^the run takes about \d+ MB of memory, and 50\.0 MB are free: `maxMemory` keeps it within a limit$/,
      ),
    ])
    expect(await notesOn(8e9)).toEqual([])
  })
})
