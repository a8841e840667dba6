import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { formatTitle, splitName } from '../../../src/files/gguf/write/name-parts.js'
import { FIXTURES } from '../../support/paths.js'

/** What llama.cpp's converter reads in names; `test/interop/gguf-export.test.ts` asks it again. */
const names: { id: string; parameters: number; parts: Record<string, string> }[] = JSON.parse(
  readFileSync(join(FIXTURES, 'model-names.json'), 'utf8'),
)

it.each(names)('$id has the parts that llama.cpp’s converter reads in it', ({ id, parameters, parts }) => {
  expect(splitName(id, parameters)).toEqual(parts)
})

it.each([
  ['smol-135M--instruct-v0.2', 'Smol 135M Instruct v0.2'],
  ['gpt2b-v2-7b', 'Gpt2B v2 7b'],
  ['SmolLM2 it’s', 'SmolLM2 It’S'],
])('%s has the title %s', (name, title) => {
  expect(formatTitle(name)).toBe(title)
})
