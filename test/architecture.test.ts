import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT, readPage } from './shown-text.js'

const entries = readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true })
const files = entries
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(join(ROOT, 'src/').length).replaceAll('\\', '/'))
const isAbove = (file: string) => /^(commands\/|terminal\/|cli\.ts$)/.test(file)

it('docs/architecture.md names every folder', () => {
  const folders = new Set(files.filter((file) => file.includes('/')).map((file) => file.split('/')[0]!))
  const named = [...readPage('docs/architecture.md').matchAll(/^\| `src\/([\w-]+)` \|/gm)].map(
    ([, name]) => name!,
  )
  expect([...folders].sort()).toEqual(named.sort())
})

it('arrows point one way: nothing below the commands knows of them or of the terminal', () => {
  const below = files.filter((file) => !isAbove(file))
  expect(below.length).toBeGreaterThan(100)
  for (const file of below) {
    const text = readFileSync(join(ROOT, 'src', file), 'utf8')
    expect(text, file).not.toMatch(/(from|import\() ?'\.[./]*\/(commands|terminal)\//)
    expect(text, file).not.toMatch(/console\.|process\.(stdout|stderr)\b/)
  }
  for (const file of files.filter((name) => name.startsWith('terminal/'))) {
    expect(readFileSync(join(ROOT, 'src', file), 'utf8'), file).not.toMatch(/from '\.\.\/commands\//)
  }
})
