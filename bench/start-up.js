/**
 * Time by the clock of what should answer at once, and of Node alone:
 *
 *   npm run build
 *   node bench/start-up.js [--runs 9]
 *
 * `--help`, `--version`, and the two commands of `npm run demo` on the example model, `similarity` with and without its
 * check. Prints medians.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { handOver, median } from './figures.js'

const { values } = parseArgs({ options: { runs: { type: 'string', default: '9' } } })
const root = fileURLToPath(new URL('..', import.meta.url))
const output = mkdtempSync(join(tmpdir(), 'layerprune-bench-'))
const similarity = [
  ...['bin/layerprune.js', 'similarity', '--model', 'examples/model', '--dataset', 'examples/texts.jsonl'],
  ...['--layers-to-skip', '4', '--force', '--output', output],
]
const commands = {
  node: ['--eval', '0'],
  '--version': ['bin/layerprune.js', '--version'],
  '--help': ['bin/layerprune.js', '--help'],
  'similarity of the example': similarity,
  'similarity of the example, --verify 8': [...similarity, '--verify', '8'],
  'slice-config': ['bin/layerprune.js', 'slice-config', '--from', join(output, 'similarity.json')],
}

const seconds = {}
try {
  for (const [name, command] of Object.entries(commands)) {
    seconds[name] = median(Array.from({ length: Number(values.runs) }, () => time(command)))
    console.log(`${name.padEnd(38)}${seconds[name].toFixed(2)} s`)
  }
} finally {
  rmSync(output, { recursive: true })
}
const { node, ...ours } = seconds
handOver(
  Object.entries(ours).map(([what, time]) => ({
    what,
    layerprune: `${time.toFixed(2)} s`,
    other: `Node alone ${node.toFixed(2)} s`,
    ratio: '',
  })),
)

function time(command) {
  const start = performance.now()
  const { status, stderr } = spawnSync(process.execPath, command, { cwd: root, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command.join(' ')} ended with ${status}: ${stderr}`)
  return (performance.now() - start) / 1000
}
