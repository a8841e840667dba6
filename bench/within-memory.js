/**
 * Time, peak memory and numbers of `layerprune similarity --max-memory` against the same run without a limit, in turn:
 *
 *   npm run build
 *   node bench/within-memory.js --model M --dataset texts.jsonl --max-memory 500MB [--runs 1] [--limited-only]
 *     [--layers-to-skip 8] [--dataset-size 64] [--max-length 256] [-- more flags of similarity]
 *
 * Prints each run, the ratio of the medians of the times, and the largest difference between distances. If the whole
 * model does not fit, --limited-only omits its runs. Bytes read are those of read calls (hashing and checking weights);
 * what is mapped comes in addition, and is read from the disk unless the system still holds it.
 */

import { spawnSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { handOver, median } from './figures.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string' },
    dataset: { type: 'string' },
    'max-memory': { type: 'string' },
    runs: { type: 'string', default: '1' },
    'limited-only': { type: 'boolean', default: false },
    'layers-to-skip': { type: 'string', default: '8' },
    'dataset-size': { type: 'string', default: '64' },
    'max-length': { type: 'string', default: '256' },
  },
})
if (!values.model || !values.dataset || !values['max-memory']) {
  console.error('error: --model, --dataset and --max-memory are needed')
  process.exit(2)
}

const shared = ['model', 'dataset', 'layers-to-skip', 'dataset-size', 'max-length'].flatMap((name) => [
  `--${name}`,
  values[name],
])
const output = mkdtempSync(join(tmpdir(), 'layerprune-bench-'))
const bin = fileURLToPath(new URL('../bin/layerprune.js', import.meta.url))
const limit = ['--max-memory', values['max-memory']]
const settings = values['limited-only'] ? { limited: limit } : { whole: [], limited: limit }
const atExit = `
  import { existsSync, readFileSync } from 'node:fs'
  process.on('exit', () => {
    const io = existsSync('/proc/self/io') ? readFileSync('/proc/self/io', 'utf8') : ''
    const bytes = (name) => Number(new RegExp(name + ': ([0-9]+)').exec(io)?.[1] ?? NaN)
    const { maxRSS } = process.resourceUsage()
    process.stderr.write('\\nused ' + JSON.stringify([maxRSS, bytes('rchar'), bytes('read_bytes')]) + '\\n')
  })`
const report = `data:text/javascript,${encodeURIComponent(atExit)}`

const seconds = { whole: [], limited: [] }
const peakMegabytes = { whole: [], limited: [] }
const answers = {}
for (let run = 1; run <= Number(values.runs); run++) {
  for (const [name, flags] of Object.entries(settings)) {
    const { elapsed, peakBytes, readBytes, diskBytes, result } = measure(flags)
    seconds[name].push(elapsed)
    peakMegabytes[name].push(peakBytes / 1e6)
    answers[name] = result
    console.log(
      `run ${run}  ${name.padEnd(7)}  ${elapsed.toFixed(1)} s  peak ${(peakBytes / 1e6).toFixed(0)} MB  read ${(readBytes / 1e9).toFixed(1)} GB, from disk ${(diskBytes / 1e9).toFixed(1)} GB`,
    )
  }
}
if (!values['limited-only']) {
  const differences = Object.entries(answers.whole.distances).flatMap(([n, row]) =>
    row.map((distance, start) => Math.abs(distance - answers.limited.distances[n][start])),
  )
  console.log(`ratio       limited / whole = ${(median(seconds.limited) / median(seconds.whole)).toFixed(2)}`)
  console.log(`difference  at most ${Math.max(...differences).toExponential(1)} in all distances`)
}
handOver(
  [
    ['whole process', seconds, 1, 's'],
    ['peak memory', peakMegabytes, 0, 'MB'],
  ].map(([what, { whole, limited }, digits, unit]) => ({
    what: `${what}, --max-memory ${values['max-memory']}`,
    layerprune: `${median(limited).toFixed(digits)} ${unit}`,
    other: values['limited-only'] ? '' : `no limit ${median(whole).toFixed(digits)} ${unit}`,
    ratio: values['limited-only'] ? '' : (median(whole) / median(limited)).toFixed(2),
  })),
)

function measure(flags) {
  const args = ['similarity', ...shared, ...flags, ...positionals, '--json', '--quiet', '--output', output]
  const start = performance.now()
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', report, bin, ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  })
  const elapsed = (performance.now() - start) / 1000
  if (status !== 0) throw new Error(`layerprune ended with ${status}: ${stderr}`)
  const [peak, readBytes, diskBytes] = JSON.parse(/^used (.*)$/m.exec(stderr)[1])
  return { elapsed, peakBytes: 1024 * peak, readBytes, diskBytes, result: JSON.parse(stdout) }
}
