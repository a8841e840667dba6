/**
 * Time, peak memory and numbers of `layerprune similarity` with some more flags against the same run without them, in
 * turn:
 *
 *   npm run build
 *   node bench/with-flags.js --model M --dataset texts.jsonl [--runs 3] [--only-with] [--layers-to-skip 8]
 *     [--dataset-size 64] [--max-length 256] -- --max-memory 500MB
 *
 * Prints each run, the ratio of the medians of the times, and the largest difference between distances. If there are
 * several runs, one of each kind comes first and is not counted: what is made once for a model, such as its int8
 * weights, is then in the cache. --only-with omits the runs without the flags, for a model that does not fit into memory.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { handOver, median } from './figures.js'
import { runLayerprune } from './run-layerprune.js'

const { values, positionals: flags } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string' },
    dataset: { type: 'string' },
    runs: { type: 'string', default: '3' },
    'only-with': { type: 'boolean', default: false },
    'layers-to-skip': { type: 'string', default: '8' },
    'dataset-size': { type: 'string', default: '64' },
    'max-length': { type: 'string', default: '256' },
  },
})
if (!values.model || !values.dataset || flags.length === 0) {
  console.error('error: --model, --dataset and flags after -- are needed')
  process.exit(2)
}

const output = mkdtempSync(join(tmpdir(), 'layerprune-bench-'))
const names = ['model', 'dataset', 'layers-to-skip', 'dataset-size', 'max-length']
const shared = names.flatMap((name) => [`--${name}`, values[name]])
const work = ['similarity', ...shared, '--json', '--quiet', '--force', '--output', output]
const settings = { ...(values['only-with'] ? {} : { without: work }), with: [...work, ...flags] }
const seconds = { without: [], with: [] }
const peakMegabytes = { without: [], with: [] }
const answers = {}

try {
  if (Number(values.runs) > 1) for (const args of Object.values(settings)) runLayerprune(args)
  for (let run = 1; run <= Number(values.runs); run++) {
    for (const [name, args] of Object.entries(settings)) {
      const measured = runLayerprune(args)
      seconds[name].push(measured.seconds)
      peakMegabytes[name].push(measured.peakMegabytes)
      answers[name] = JSON.parse(measured.stdout)
      console.log(
        `run ${run}  ${name.padEnd(7)}  ${measured.seconds.toFixed(1)} s  peak ${measured.peakMegabytes.toFixed(0)} MB`,
      )
    }
  }
} finally {
  rmSync(output, { recursive: true })
}
report()

function report() {
  const added = flags.join(' ')
  const figures = [
    ['whole process', seconds, 1, 's'],
    ['peak memory', peakMegabytes, 0, 'MB'],
  ].map(([what, found, digits, unit]) => ({
    what: `${what}, ${added}`,
    layerprune: `${median(found.with).toFixed(digits)} ${unit}`,
    other: values['only-with'] ? '' : `without ${median(found.without).toFixed(digits)} ${unit}`,
    ratio: values['only-with'] ? '' : (median(found.without) / median(found.with)).toFixed(2),
  }))
  if (!values['only-with']) {
    const differences = Object.entries(answers.without.distances).flatMap(([n, row]) =>
      row.map((distance, start) => Math.abs(distance - answers.with.distances[n][start])),
    )
    const largest = Math.max(...differences).toExponential(1)
    console.log(`ratio       without / with = ${figures[0].ratio}`)
    console.log(`difference  at most ${largest} in all distances`)
    figures.push({
      what: `largest difference of a distance, ${added}`,
      layerprune: largest,
      other: '',
      ratio: '',
    })
  }
  handOver(figures)
}
