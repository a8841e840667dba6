import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { expect, it } from 'vitest'
import { drawArchitecture } from '../../examples/architecture-picture.js'
import { findWrapper } from '../../src/files/checkpoint/known-models.js'
import { FAMILIES } from '../../src/model/families/table.js'
import { ROOT } from '../support/paths.js'
import { readPage } from '../support/shown-text.js'

const entries = readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true })
const files = entries
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(join(ROOT, 'src/').length).replaceAll('\\', '/'))
const textOf = (file: string) => readFileSync(join(ROOT, 'src', file), 'utf8')
const isAbove = (file: string) => /^cli\//.test(file)

it('docs/architecture.md names every folder', () => {
  const folders = new Set(files.map((file) => file.split('/').slice(0, -1).slice(0, 2).join('/')))
  const named = [...readPage('docs/architecture.md').matchAll(/^\| `src\/([\w/-]+)` \|/gm)].map(([, name]) => name!)
  expect([...folders].filter((name) => name.includes('/')).sort()).toEqual(named.sort())
})

it('the picture in docs/architecture.md shows the imports of today', () => {
  expect(readPage('docs/images/architecture.svg'), 'run `npm run docs`').toBe(drawArchitecture(ROOT))
})

it('nothing below the commands knows of them or of the terminal', () => {
  const below = files.filter((file) => !isAbove(file))
  expect(below.length).toBeGreaterThan(100)
  for (const file of below) {
    const text = textOf(file)
    expect(text, file).not.toMatch(/(from|import\() ?'\.[./]*\/(commands|terminal)\//)
    expect(text, file).not.toMatch(/(?<![\w-])console\.|process\.(stdout|stderr)\b/)
  }
  for (const file of files.filter((name) => name.startsWith('cli/terminal/'))) {
    expect(textOf(file), file).not.toMatch(/from '\.\.\/commands\//)
  }
})

it('names families only in their descriptions and in the tables read while files are opened', () => {
  const homes = /^(model\/families\/|files\/gguf\/|files\/checkpoint\/known-models\.ts)/
  const mixers = new Set(['mamba', 'mamba2'])
  const named = files
    .filter((file) => !homes.test(file))
    .flatMap((file) =>
      [...textOf(file).matchAll(/(?<=')[\w.-]+(?=')|(?<=[{,]\s*)\w+(?=: )/g)].map(([name]) => ({
        file,
        name,
      })),
    )
    .filter(({ name }) => (Object.hasOwn(FAMILIES, name) || findWrapper(name)) && !mixers.has(name))
  expect(named.map(({ file, name }) => `${file} names ${name}`)).toEqual([])
})

/** The folders of `src`, from the ground up. Each imports only from those before it. Imports of types count. */
const FLOORS = ['base', 'files', 'texts', 'model', 'engine', 'results', 'jobs', 'cli']

/** What lies in each folder, from the ground up: rooms on one floor do not import each other. */
const ROOMS: Record<string, string[][]> = {
  base: [
    [
      'abandoned-files',
      'chunk',
      'clean-text',
      'digest',
      'errors',
      'format-numbers',
      'is-object',
      'name-option',
      'package-file',
      'progress',
      'quote-for-shell',
      'random',
      'statistics',
    ],
    ['clean-library-logs', 'read-table', 'regular-file', 'start-thread', 'version', 'write-files', 'yaml'],
    ['answering-process', 'lock', 'read-text'],
    ['limited-process'],
    ['read-yaml'],
    ['yaml-worker'],
  ],
  files: [['byte-source', 'read-exactly'], ['hub'], ['checkpoint'], ['gguf', 'weights']],
  texts: [['data', 'templates'], ['tokens']],
  model: [['families', 'layers'], ['graph'], ['export', 'gradient', 'unpack'], ['builder']],
  engine: [['no-telemetry', 'sessions'], ['int8'], ['model']],
  results: [['documents', 'llama-quantize', 'mergekit'], ['next-command'], ['report']],
  jobs: [
    ['run', 'write-model'],
    ['evaluate', 'inspect', 'recipe', 'similarity'],
    ['prune', 'repair', 'tasks'],
    ['export', 'heal', 'strategies'],
    ['sweep'],
    ['library'],
  ],
  cli: [['terminal'], ['commands'], ['program'], ['main']],
}

const importsOf = new Map(
  files.map((file) => [
    file,
    [...textOf(file).matchAll(/(?:from|import\() ?'(\.[^']*)\.js'/g)].map(([, path]) =>
      posix.join(posix.dirname(file), `${path}.ts`),
    ),
  ]),
)
const arrows = [...importsOf].flatMap(([file, others]) => others.map((other) => ({ file, other })))
const folderOf = (file: string) => file.split('/')[0]!
const roomOf = (file: string) => file.split('/')[1]!.replace(/\.ts$/, '')
const showArrows = (list: typeof arrows) => list.map(({ file, other }) => `${file} imports ${other}`)

it('src holds eight folders and index.ts, and each imports only from those below it', () => {
  expect([...new Set(files.map(folderOf))].sort()).toEqual([...FLOORS, 'index.ts'].sort())
  const floorOf = (file: string) => (file === 'index.ts' ? FLOORS.length : FLOORS.indexOf(folderOf(file)))
  const between = arrows.filter(({ file, other }) => folderOf(file) !== folderOf(other))
  const upward = between.filter(({ file, other }) => floorOf(other) >= floorOf(file))
  expect(showArrows(upward)).toEqual([])
  const pairs = new Set(between.map(({ file, other }) => `${folderOf(file)} ${folderOf(other)}`))
  expect(pairs.size).toBeLessThanOrEqual(35)
})

it('test holds the same folders, and what they share', () => {
  const shared = ['fixtures', 'hardening', 'interop', 'project', 'support']
  expect(readdirSync(join(ROOT, 'test')).sort()).toEqual([...FLOORS, ...shared].sort())
})

it.each(FLOORS)('the rooms of %s import only from the floors below theirs', (folder) => {
  const floorOf = new Map(ROOMS[folder]!.flatMap((rooms, floor) => rooms.map((room) => [room, floor])))
  const inside = files.filter((file) => folderOf(file) === folder)
  expect([...new Set(inside.map(roomOf))].sort()).toEqual([...floorOf.keys()].sort())
  const upward = arrows
    .filter(({ file, other }) => folderOf(file) === folder && folderOf(other) === folder)
    .filter(({ file, other }) => roomOf(file) !== roomOf(other))
    .filter(({ file, other }) => floorOf.get(roomOf(other))! >= floorOf.get(roomOf(file))!)
  expect(showArrows(upward)).toEqual([])
})

/** Groups of files that import each other in a circle, of types too (Tarjan's strongly connected components). */
function findCircles(): string[][] {
  const [order, lowest, open] = [new Map<string, number>(), new Map<string, number>(), [] as string[]]
  const circles: string[][] = []
  const visit = (file: string): void => {
    order.set(file, order.size)
    lowest.set(file, order.get(file)!)
    open.push(file)
    for (const other of importsOf.get(file)!) {
      if (!order.has(other)) visit(other)
      if (open.includes(other)) lowest.set(file, Math.min(lowest.get(file)!, lowest.get(other)!))
    }
    if (lowest.get(file) !== order.get(file)) return
    const group = open.splice(open.indexOf(file))
    if (group.length > 1) circles.push(group.sort())
  }
  for (const file of files) if (!order.has(file)) visit(file)
  return circles
}

it('only one circle of imports is left: an expert is an MLP, and an MLP may hold experts', () => {
  expect(findCircles()).toEqual([['model/builder/experts.ts', 'model/builder/mlp.ts']])
})

it('help and usage errors load no job and no package but commander', () => {
  const loaded = new Set(['cli/main.ts'])
  const packages = new Set<string>()
  for (const file of loaded) {
    for (const [, path] of textOf(file).matchAll(/^(?:im|ex)port (?!type\b)(?:[\w\s{},*]+ from )?'([^']+)'/gm)) {
      if (path!.startsWith('.')) loaded.add(posix.join(posix.dirname(file), path!.replace(/js$/, 'ts')))
      else if (!path!.startsWith('node:')) packages.add(path!)
    }
  }
  expect([...loaded].filter((file) => file.startsWith('cli/commands/')).length).toBeGreaterThan(12)
  expect(
    [...loaded].filter((file) =>
      /^(cli\/commands\/run|jobs\/run|engine\/model\.ts|model\/graph|texts\/data)\b/.test(file),
    ),
  ).toEqual([])
  expect([...packages]).toEqual(['commander'])
})

it('no job is imported for what a block of layers is', () => {
  expect(textOf('model/layers/block.ts')).toContain('export interface Block {')
  const others = files.filter((file) => /(?:interface|type) Block\b/.test(textOf(file)))
  expect(others).toEqual(['model/layers/block.ts'])
})
