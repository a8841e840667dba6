/**
 * Whole-process time and peak memory of any command of layerprune:
 *
 *   npm run build
 *   node bench/time-command.js [--runs 3] -- prune --model M --drop 12:20 --repair --dataset texts.jsonl -o FOLDER
 *
 * Prints each run, then the medians. What a run left at the path of `-o` is removed before the next.
 */
import { rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { handOver, median } from './figures.js'
import { runLayerprune } from './run-layerprune.js'

const { values, positionals: command } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '3' } },
})
const output = command[command.indexOf('-o') + 1]
if (!command.includes('-o') || output === undefined) {
  console.error('error: a command with -o is needed after --')
  process.exit(2)
}

const measured = []
for (let run = 1; run <= Number(values.runs); run++) {
  rmSync(output, { recursive: true, force: true })
  const { seconds, peakMegabytes } = runLayerprune(command)
  measured.push({ seconds, peakMegabytes })
  console.log(`run ${run}  ${seconds.toFixed(1)} s  peak ${peakMegabytes.toFixed(0)} MB`)
}
handOver(
  [
    ['whole process', 'seconds', 1, 's'],
    ['peak memory', 'peakMegabytes', 0, 'MB'],
  ].map(([what, key, digits, unit]) => ({
    what,
    layerprune: `${median(measured.map((one) => one[key])).toFixed(digits)} ${unit}`,
    other: '',
    ratio: '',
  })),
)
