import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT } from './support/paths.js'
import { readPage } from './support/shown-text.js'

const entries = readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true })
const files = entries
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(join(ROOT, 'src/').length).replaceAll('\\', '/'))
const textOf = (file: string) => readFileSync(join(ROOT, 'src', file), 'utf8')
const isAbove = (file: string) => /^(commands\/|terminal\/|cli\.ts$)/.test(file)

it('docs/architecture.md names every folder', () => {
  const folders = new Set(files.filter((file) => file.includes('/')).map((file) => file.split('/')[0]!))
  const named = [...readPage('docs/architecture.md').matchAll(/^\| `src\/([\w-]+)` \|/gm)].map(
    ([, name]) => name!,
  )
  expect([...folders].sort()).toEqual(named.sort())
})

it('nothing below the commands knows of them or of the terminal', () => {
  const below = files.filter((file) => !isAbove(file))
  expect(below.length).toBeGreaterThan(100)
  for (const file of below) {
    const text = textOf(file)
    expect(text, file).not.toMatch(/(from|import\() ?'\.[./]*\/(commands|terminal)\//)
    expect(text, file).not.toMatch(/(?<![\w-])console\.|process\.(stdout|stderr)\b/)
  }
  for (const file of files.filter((name) => name.startsWith('terminal/'))) {
    expect(textOf(file), file).not.toMatch(/from '\.\.\/commands\//)
  }
})

/**
 * Folders, and the files beside them, from the ground up. A floor imports from the floors below it, never from one
 * above or from its neighbours, so that no circle can be. Imports of types count.
 */
const FLOORS = [
  ['no-telemetry', 'package-file'],
  [
    'errors',
    'version',
    'byte-source',
    'is-object',
    'chunk',
    'digest',
    'random',
    'read-exactly',
    'format-numbers',
    'start-thread',
    'progress',
  ],
  ['abandoned-files', 'clean-text', 'quote-for-shell', 'layers'],
  ['write-files', 'clean-library-logs', 'yaml', 'statistics'],
  ['hub', 'mergekit', 'llama-quantize', 'prune-command'],
  ['data'],
  ['checkpoint'],
  ['gguf'],
  ['texts', 'families', 'weights'],
  ['documents', 'graph'],
  ['unpack'],
  ['builder', 'engine', 'gradient'],
  ['int8'],
  ['model'],
  ['inspect', 'run'],
  ['similarity'],
  ['evaluate'],
  ['repair', 'prune', 'tasks'],
  ['strategies', 'recipe', 'report'],
  ['heal', 'sweep'],
  ['library'],
  ['index', 'terminal'],
  ['commands'],
  ['cli'],
]

it('folders import from the floors below them only', () => {
  const roomOf = (file: string) => (file.includes('/') ? file.split('/')[0]! : file.replace(/\.ts$/, ''))
  const floorOf = new Map(FLOORS.flatMap((rooms, floor) => rooms.map((room) => [room, floor])))
  expect([...new Set(files.map(roomOf))].sort()).toEqual([...floorOf.keys()].sort())
  const upward = files.flatMap((file) =>
    [...textOf(file).matchAll(/(?:from|import\() ?'(\.[^']*)\.js'/g)]
      .map(([, path]) => posix.join(posix.dirname(file), `${path}.ts`))
      .filter((other) => roomOf(other) !== roomOf(file))
      .filter((other) => floorOf.get(roomOf(other))! >= floorOf.get(roomOf(file))!)
      .map((other) => `${file} imports ${other}`),
  )
  expect(upward).toEqual([])
})

it('help and usage errors load no job and no package but commander', () => {
  const loaded = new Set(['cli.ts'])
  const packages = new Set<string>()
  for (const file of loaded) {
    for (const [, path] of textOf(file).matchAll(
      /^(?:im|ex)port (?!type\b)(?:[\w\s{},*]+ from )?'([^']+)'/gm,
    )) {
      if (path!.startsWith('.')) loaded.add(posix.join(posix.dirname(file), path!.replace(/js$/, 'ts')))
      else if (!path!.startsWith('node:')) packages.add(path!)
    }
  }
  expect([...loaded].filter((file) => file.startsWith('commands/')).length).toBeGreaterThan(12)
  expect([...loaded].filter((file) => /^(commands\/run|run|model\.ts|graph|data)\b/.test(file))).toEqual([])
  expect([...packages]).toEqual(['commander'])
})

it('no job is imported for what a block of layers is', () => {
  expect(textOf('layers/block.ts')).toContain('export interface Block {')
  const others = files.filter((file) => /(?:interface|type) Block\b/.test(textOf(file)))
  expect(others).toEqual(['layers/block.ts'])
})
