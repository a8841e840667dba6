import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { pathBeside } from '../../../src/jobs/write-model/output-folder.js'

it.each([
  ['out', 'out.x'],
  ['a/out//', 'a/out.x'],
  ['.', `${resolve('.')}.x`],
  ['./', `${resolve('.')}.x`],
  ['a/..', `${resolve('.')}.x`],
  ['../', `${resolve('..')}.x`],
  ['..a/', '..a.x'],
  ['a.', 'a..x'],
])('a path beside %j is %j', (output, beside) => {
  expect(pathBeside(output, '.x')).toBe(beside)
})
