import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT, readPage } from './support/shown-text.js'

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
 * Folders, and files beside them, that import each other in a circle. Each is to be undone: this list may get shorter,
 * never longer.
 */
const CIRCLES = [
  ['checkpoint', 'data', 'hub'],
  ['graph', 'inspect', 'int8', 'layer-names', 'model', 'plan', 'runtime', 'similarity'],
  ['prune', 'repair'],
]

it('folders import each other in no circle but those listed here', () => {
  const roomOf = (file: string) => (file.includes('/') ? file.split('/')[0]! : file.replace(/\.ts$/, ''))
  const rooms = [...new Set(files.map(roomOf))].sort()
  const imports = new Map(rooms.map((room) => [room, new Set<string>()]))
  for (const file of files) {
    for (const [, path] of textOf(file).matchAll(/(?:from|import\() ?'(\.[^']*)\.js'/g)) {
      const other = roomOf(posix.join(posix.dirname(file), `${path}.ts`))
      if (other !== roomOf(file)) imports.get(roomOf(file))!.add(other)
    }
  }
  const reachable = new Map(rooms.map((room) => [room, reach(room, imports)]))
  const circles = rooms
    .filter((room) => reachable.get(room)!.has(room))
    .map((room) =>
      rooms.filter((other) => reachable.get(room)!.has(other) && reachable.get(other)!.has(room)),
    )
  expect([...new Set(circles.map((circle) => circle.join(' ')))]).toEqual(
    CIRCLES.map((circle) => circle.join(' ')),
  )
})

/** Where arrows lead from a room, directly or by others. */
function reach(from: string, arrows: Map<string, Set<string>>): Set<string> {
  const reached = new Set<string>()
  const open = [from]
  for (let room = open.pop(); room !== undefined; room = open.pop()) {
    for (const next of arrows.get(room)!) {
      if (!reached.has(next)) open.push(next)
      reached.add(next)
    }
  }
  return reached
}
