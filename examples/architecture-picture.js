/** The picture of docs/architecture.md: the eight folders of `src` and the imports between them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'

/** From the top floor down; each imports only from those below it. */
const FLOORS = [
  ['cli', 'the commands and the terminal'],
  ['jobs', 'measure, check, cut, repair, heal'],
  ['results', 'what is saved, drawn and reported'],
  ['engine', 'an open model that runs'],
  ['model', 'a model as a description, and as a graph'],
  ['texts', 'a dataset as rows, texts and tokens'],
  ['files', 'the Hub, checkpoints, GGUF, stored numbers'],
  ['base', 'errors, progress, statistics, safe writes'],
]

const WIDTH = 1000
const BOX = { left: 16, width: 680, height: 56, step: 72, top: 48 }

/**
 * @param root  folder of the repository
 * @returns  an SVG whose arcs are the imports between folders: the wider, the more
 */
export function drawArchitecture(root) {
  const source = join(root, 'src')
  const files = readdirSync(source, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(source.length + 1)
        .replaceAll('\\', '/'),
    )
    .sort()
  const arrows = new Map()
  for (const file of files) {
    const text = readFileSync(join(source, file), 'utf8')
    for (const [, path] of text.matchAll(/(?:from|import\() ?'(\.[^']*)\.js'/g)) {
      const [from, to] = [file, posix.join(posix.dirname(file), path)].map((name) => name.split('/')[0])
      if (from !== to && from !== 'index.ts') arrows.set(`${from} ${to}`, (arrows.get(`${from} ${to}`) ?? 0) + 1)
    }
  }
  const boxes = FLOORS.map(([name, words], row) => {
    const inside = files.filter((file) => file.startsWith(`${name}/`))
    const rooms = [...new Set(inside.filter((file) => file.split('/').length > 2).map((file) => file.split('/')[1]))]
    return drawBox(row, name, words, inside.length, rooms)
  })
  const height = BOX.top + BOX.step * FLOORS.length
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="13">`,
    '<title>The eight folders of src</title>',
    '<style>.paper{fill:#fff}.box{fill:#f6f8fa;stroke:#d8dee4}.ink{fill:#1f2328}.quiet{fill:#59636e}.arc{stroke:#0072b2}.tip{fill:#0072b2}@media(prefers-color-scheme:dark){.paper{fill:#0d1117}.box{fill:#161b22;stroke:#30363d}.ink{fill:#e6edf3}.quiet{fill:#9198a1}.arc{stroke:#56b4e9}.tip{fill:#56b4e9}}</style>',
    `<rect class="paper" width="${WIDTH}" height="${height}"/>`,
    `<text class="quiet" x="${BOX.left}" y="28">Imports run downwards only: ${arrows.size} arrows between folders, each as wide as it has imports.</text>`,
    ...boxes,
    ...[...arrows].sort().map(([pair, imports]) => drawArc(pair.split(' '), imports)),
    '</svg>',
  ].join('\n')}\n`
}

function drawBox(row, name, words, count, rooms) {
  const y = BOX.top + row * BOX.step
  return [
    `<rect class="box" x="${BOX.left}" y="${y}" width="${BOX.width}" height="${BOX.height}" rx="6"/>`,
    `<text class="ink" x="${BOX.left + 14}" y="${y + 24}" font-weight="600" font-size="15">${name}</text>`,
    `<text class="ink" x="${BOX.left + 90}" y="${y + 24}">${words}</text>`,
    `<text class="quiet" x="${BOX.left + BOX.width - 14}" y="${y + 24}" text-anchor="end">${count} files</text>`,
    `<text class="quiet" x="${BOX.left + 90}" y="${y + 44}" font-size="11">${rooms.join(', ')}</text>`,
  ].join('')
}

/** An arc beside the boxes, from the right edge of one to that of the other. */
function drawArc([from, to], imports) {
  const rowOf = (folder) => FLOORS.findIndex(([name]) => name === folder)
  const middle = (folder) => BOX.top + rowOf(folder) * BOX.step + BOX.height / 2
  const x = BOX.left + BOX.width
  const [start, end] = [middle(from) + 8, middle(to) - 8]
  const reach = x + 24 + (rowOf(to) - rowOf(from)) * 44
  const width = Math.max(0.6, Math.sqrt(imports) / 3).toFixed(1)
  return `<path class="arc" d="M${x} ${start}C${reach} ${start} ${reach} ${end} ${x + 8} ${end}" fill="none" stroke-width="${width}" opacity="0.55"/><path class="tip" d="M${x} ${end}l9 -4v8z"/>`
}
