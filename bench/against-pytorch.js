/**
 * Whole-process time and peak memory of `layerprune similarity` against the same work in PyTorch float32, in turn:
 *
 *   npm run build
 *   node bench/against-pytorch.js --model M --dataset texts.jsonl --python VENV/bin/python [--runs 3]
 *     [--layers-to-skip 8] [--dataset-size 64] [--batch-size 8] [--max-length 256] [-- more flags of similarity]
 *
 * Prints each run, the medians and the ratio of the medians.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string' },
    dataset: { type: 'string' },
    python: { type: 'string' },
    runs: { type: 'string', default: '3' },
    'layers-to-skip': { type: 'string', default: '8' },
    'dataset-size': { type: 'string', default: '64' },
    'batch-size': { type: 'string', default: '8' },
    'max-length': { type: 'string', default: '256' },
  },
})
if (!values.model || !values.dataset || !values.python) {
  console.error('error: --model, --dataset and --python are needed')
  process.exit(2)
}

const shared = ['model', 'dataset', 'layers-to-skip', 'dataset-size', 'batch-size', 'max-length'].flatMap(
  (name) => [`--${name}`, values[name]],
)
const output = mkdtempSync(join(tmpdir(), 'layerprune-bench-'))
const bin = new URL('../bin/layerprune.js', import.meta.url).pathname
const loop = new URL('pytorch_loop.py', import.meta.url).pathname
const commands = {
  layerprune: [
    process.execPath,
    bin,
    'similarity',
    ...shared,
    '--json',
    '--quiet',
    '--output',
    output,
    ...positionals,
  ],
  pytorch: [values.python, loop, ...shared],
}

/** Runs a command and prints its peak memory in KB as the last line of stderr. */
const REPORT_PEAK = `
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(status)`

const seconds = { layerprune: [], pytorch: [] }
const peakMegabytes = { layerprune: [], pytorch: [] }
let answers
for (let run = 1; run <= Number(values.runs); run++) {
  answers = {}
  for (const [name, command] of Object.entries(commands)) {
    const { elapsed, peak, stdout } = measure(command)
    seconds[name].push(elapsed)
    peakMegabytes[name].push(peak)
    answers[name] = JSON.parse(stdout)
    console.log(`run ${run}  ${name.padEnd(10)}  ${elapsed.toFixed(1)} s  peak ${peak.toFixed(0)} MB`)
  }
}
// transformers norms its last hidden state, so the last block is not comparable
const differences = answers.pytorch
  .slice(0, -1)
  .map((distance, start) => Math.abs(distance - answers.layerprune.blocks[start].distance))
console.log(
  `median      layerprune ${median(seconds.layerprune).toFixed(1)} s, pytorch ${median(seconds.pytorch).toFixed(1)} s`,
)
console.log(
  `ratio       pytorch / layerprune = ${(median(seconds.pytorch) / median(seconds.layerprune)).toFixed(2)}`,
)
console.log(
  `peak        layerprune ${median(peakMegabytes.layerprune).toFixed(0)} MB, pytorch ${median(peakMegabytes.pytorch).toFixed(0)} MB`,
)
console.log(
  `difference  at most ${Math.max(...differences).toExponential(1)} in the distances of all blocks but the last`,
)

function measure([program, ...args]) {
  const start = performance.now()
  const { status, stdout, stderr } = spawnSync(values.python, ['-c', REPORT_PEAK, program, ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  })
  const elapsed = (performance.now() - start) / 1000
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`)
  return { elapsed, stdout, peak: Number(stderr.trim().split('\n').at(-1)) / 1024 }
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2
}
