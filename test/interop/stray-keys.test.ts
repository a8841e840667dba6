import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { isHarmlessKey } from '../../src/model/families/describe/harmless-keys.js'
import { findNeverRead, readNames } from '../../src/model/families/describe/never-read.js'
import { listFixtures, readConfig } from '../support/fixture-model.js'
import { describeWithPython, python } from './needs.js'

/** Names that the code of any family reads, and some that none reads. */
const NAMES = new Set([
  ...Object.values(readNames().families).flatMap((names) => names.trim().split(/\s+/)),
  'some_trainer_note',
  '_saved_by',
])

/** Of these names those that count as never read by the family of a fixture. */
function listStrays(fixture: string): string[] {
  const config = readConfig(fixture)
  const isNeverRead = findNeverRead(String(config.model_type), config)
  return [...NAMES].filter((key) => !isHarmlessKey(key, true, []) && isHarmlessKey(key, true, [], isNeverRead))
}

describeWithPython('transformers', () => {
  it('computes the same with keys that its code of the family never reads', { timeout: 600_000 }, () => {
    const strays = listFixtures().map((fixture) => [fixture, listStrays(fixture)] as const)
    const known = strays.filter(([, keys]) => keys.length > 0)
    expect(known.length).toBeGreaterThan(150)
    expect(Math.min(...known.map(([, keys]) => keys.length))).toBeGreaterThan(400)
    const printed = execFileSync(python, [join(import.meta.dirname, 'check_strays.py')], {
      input: JSON.stringify(Object.fromEntries(known)),
      encoding: 'utf8',
    })
    expect(JSON.parse(printed)).toEqual(Object.fromEntries(known.map(([fixture]) => [fixture, true])))
  })
})
