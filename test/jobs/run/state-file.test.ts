import { mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { StateFile } from '../../../src/jobs/run/state-file.js'
import { makeTempFolder } from '../../support/temp-folder.js'

function openFile(path = join(makeTempFolder(), 'state')) {
  const clock = { ms: 0 }
  const failures: string[] = []
  const file = new StateFile<number>(path, {
    encode: (state) => `${state}`,
    onFailure: (message) => failures.push(message),
    now: () => clock.ms,
  })
  return { file, clock, failures, read: () => readFileSync(path, 'utf8') }
}

it('is written a second after the start, then at intervals, and once more at a stop', async () => {
  const { file, clock, read } = openFile()
  await file.note(() => 1)
  expect(read).toThrow('ENOENT')
  clock.ms = 1000
  await file.note(() => 2)
  expect(read()).toBe('2')
  clock.ms = 1999
  await file.note(() => 3)
  expect(read()).toBe('2')
  expect(await file.save()).toBe(true)
  expect(read()).toBe('3')
})

it('however long a write takes, the next comes within half a minute', async () => {
  const { file, clock, read } = openFile()
  clock.ms = 1000
  await file.note(() => {
    clock.ms += 10_000
    return 1
  })
  clock.ms += 30_000
  await file.note(() => 2)
  expect(read()).toBe('2')
})

it('a failure is reported once, and does not end later writes', async () => {
  const path = join(makeTempFolder(), 'state')
  mkdirSync(path)
  const { file, clock, failures, read } = openFile(path)
  for (const ms of [1000, 2000]) {
    clock.ms = ms
    await file.note(() => ms)
  }
  expect(failures).toEqual([`the work so far could not be saved: cannot write ${path}: is a folder, expected a file`])
  expect(await file.save()).toBe(false)
  rmdirSync(path)
  expect(await file.save()).toBe(true)
  expect(read()).toBe('2000')
})
