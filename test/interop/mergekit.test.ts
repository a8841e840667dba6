import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, it } from 'vitest'
import type { Block } from '../../src/model/layers/block.js'
import { formatSliceConfig } from '../../src/results/mergekit.js'
import { makeTempFolder } from '../support/temp-folder.js'
import { describeWithPython, python } from './needs.js'

const script = join(import.meta.dirname, 'check_mergekit.py')

interface Case {
  removed: Block[]
  kept: number[]
}

const cases: Case[] = [
  { removed: [{ start: 2, end: 4 }], kept: [0, 1, 4, 5] },
  { removed: [{ start: 0, end: 2 }], kept: [2, 3, 4, 5] },
  { removed: [{ start: 5, end: 6 }], kept: [0, 1, 2, 3, 4] },
  // biome-ignore format: one case a line
  { removed: [{ start: 4, end: 5 }, { start: 0, end: 2 }], kept: [2, 3, 5] },
]

describeWithPython('mergekit', () => {
  let folder: string
  beforeAll(async () => {
    folder = makeTempFolder()
  })

  // `@` and `+` mean revision and adapter to mergekit, the colon and space something to YAML
  it.each(['small', 'c++ models: a@b'])('merges the layers that are kept, from a folder named %s', async (name) => {
    const model = join(folder, name)
    const files = await Promise.all(
      cases.map(async ({ removed }, index) => {
        const file = join(folder, `slice-${index}.yaml`)
        await writeFile(file, formatSliceConfig({ model, layers: 6, removed, dtype: 'bfloat16' }))
        return file
      }),
    )
    const { stdout } = await promisify(execFile)(python, [script, '--make-small', model, ...files])
    const checked = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    // 9 tensors a layer, and embedding, final norm and head
    expect(checked).toEqual(cases.map(({ kept }) => ({ kept, tensors: kept.length * 9 + 3 })))
  })
})
