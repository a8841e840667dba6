/**
 * Time, peak memory and numbers of `layerprune similarity --max-memory` against the same run without a limit, in turn:
 *
 *   npm run build
 *   node bench/within-memory.js --model M --dataset texts.jsonl --max-memory 500MB [--runs 1] [--limited-only]
 *     [--layers-to-skip 8] [--dataset-size 64] [--max-length 256] [-- more flags of similarity]
 *
 * Prints each run, the ratio of the medians of the times, and the largest difference between distances. Where the
 * whole model does not fit, --limited-only leaves its runs out.
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
const reportPeak =
  'data:text/javascript,process.on("exit",()=>process.stderr.write("peak "+process.resourceUsage().maxRSS+"\\n"))'

const seconds = { whole: [], limited: [] }
const peakMegabytes = { whole: [], limited: [] }
const answers = {}
for (let run = 1; run <= Number(values.runs); run++) {
  for (const [name, flags] of Object.entries(settings)) {
    const { elapsed, peakBytes, result } = measure(flags)
    seconds[name].push(elapsed)
    peakMegabytes[name].push(peakBytes / 1e6)
    answers[name] = result
    console.log(
      `run ${run}  ${name.padEnd(7)}  ${elapsed.toFixed(1)} s  peak ${(peakBytes / 1e6).toFixed(0)} MB`,
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
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', reportPeak, bin, ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  })
  const elapsed = (performance.now() - start) / 1000
  if (status !== 0) throw new Error(`layerprune ended with ${status}: ${stderr}`)
  const [, peak] = /^peak (\d+)$/m.exec(stderr)
  return { elapsed, peakBytes: 1024 * Number(peak), result: JSON.parse(stdout) }
}
