/**
 * Whole-process time, peak memory and accuracy of `layerprune evaluate --task arc_easy` against lm-evaluation-harness
 * in float32, in turn:
 *
 *   npm run build
 *   node bench/against-lm-eval.js --model M --python VENV/bin/python [--limit 200] [--runs 3] [--data FOLDER]
 *
 * The documents come from the Hub, or from a folder with a file for each split. Prints each run, the medians and the
 * ratio of the medians.
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { handOver, median } from './figures.js'
import { measureCommand } from './measure-command.js'

const TASK = 'arc_easy'

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    python: { type: 'string' },
    limit: { type: 'string', default: '200' },
    runs: { type: 'string', default: '3' },
    data: { type: 'string' },
  },
})
if (!values.model || !values.python) {
  console.error('error: --model and --python are needed')
  process.exit(2)
}

const [bin, loop] = ['../bin/layerprune.js', 'lm_eval_loop.py'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
)
const shared = ['--model', values.model, '--limit', values.limit]
const ownData = values.data ? ['--task-data', `${TASK}=${values.data}`] : []
const commands = {
  layerprune: [process.execPath, bin, 'evaluate', ...shared, '--task', TASK, ...ownData, '--json'],
  lm_eval: [values.python, loop, ...shared, ...(values.data ? ['--data', values.data] : [])],
}
const readAccuracy = {
  layerprune: (stdout) => JSON.parse(stdout).tasks[TASK].acc,
  // the harness may print before
  lm_eval: (stdout) => JSON.parse(stdout.trim().split('\n').at(-1)).acc,
}

const seconds = { layerprune: [], lm_eval: [] }
const peakMegabytes = { layerprune: [], lm_eval: [] }
const accuracy = {}
for (let run = 1; run <= Number(values.runs); run++) {
  for (const [name, command] of Object.entries(commands)) {
    const measured = measureCommand(values.python, command)
    seconds[name].push(measured.seconds)
    peakMegabytes[name].push(measured.peakMegabytes)
    accuracy[name] = readAccuracy[name](measured.stdout)
    console.log(
      `run ${run}  ${name.padEnd(10)}  ${measured.seconds.toFixed(1)} s  peak ${measured.peakMegabytes.toFixed(0)} MB  acc ${accuracy[name].toFixed(4)}`,
    )
  }
}
const figures = [
  ['whole process', seconds, 1, 's'],
  ['peak memory', peakMegabytes, 0, 'MB'],
].map(([what, { layerprune, lm_eval }, digits, unit]) => ({
  what: `${what}, ${values.limit} documents of ${TASK}`,
  layerprune: `${median(layerprune).toFixed(digits)} ${unit}`,
  other: `lm_eval ${median(lm_eval).toFixed(digits)} ${unit}`,
  ratio: (median(lm_eval) / median(layerprune)).toFixed(2),
}))
console.log(`ratio   lm_eval / layerprune = ${figures[0].ratio}`)
handOver([
  ...figures,
  {
    what: `acc, ${values.limit} documents of ${TASK}`,
    layerprune: accuracy.layerprune.toFixed(4),
    other: `lm_eval ${accuracy.lm_eval.toFixed(4)}`,
    ratio: '',
  },
])
