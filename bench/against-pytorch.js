/**
 * Whole-process time, tokens a second without loading, and peak memory of `layerprune similarity` against the same work
 * in PyTorch float32, in turn:
 *
 *   npm run build
 *   node bench/against-pytorch.js --model M --dataset texts.jsonl --python VENV/bin/python [--runs 3]
 *     [--layers-to-skip 8] [--dataset-size 64] [--batch-size 8] [--max-length 256] [--mixed-lengths]
 *     [-- more flags of similarity]
 *
 * Prints each run, the medians and the ratio of the medians. --mixed-lengths takes, instead of the texts of the
 * dataset, texts cut from it of 20 to 1,000 tokens each, log-uniform.
 */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createRandom } from '../dist/random.js'
import { loadTokenizer } from '../dist/texts/tokenizer.js'
import { handOver, median } from './figures.js'

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
    'max-length': { type: 'string' },
    'mixed-lengths': { type: 'boolean', default: false },
  },
})
if (!values.model || !values.dataset || !values.python) {
  console.error('error: --model, --dataset and --python are needed')
  process.exit(2)
}

const output = mkdtempSync(join(tmpdir(), 'layerprune-bench-'))
const longest = 1000
const work = {
  model: values.model,
  dataset: values['mixed-lengths'] ? await writeMixedTexts() : values.dataset,
  'layers-to-skip': values['layers-to-skip'],
  'dataset-size': values['dataset-size'],
  'batch-size': values['batch-size'],
  'max-length': values['max-length'] ?? (values['mixed-lengths'] ? longest : 256),
}
const shared = Object.entries(work).flatMap(([name, value]) => [`--${name}`, `${value}`])
const bin = fileURLToPath(new URL('../bin/layerprune.js', import.meta.url))
const loop = fileURLToPath(new URL('pytorch_loop.py', import.meta.url))
const commands = {
  layerprune: [process.execPath, bin, 'similarity', ...shared, '--json', '--output', output, ...positionals],
  pytorch: [values.python, loop, ...shared],
}

/** Runs a command and prints its peak memory in KB as the last line of stderr. */
const REPORT_PEAK = `
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(status)`

const seconds = { layerprune: [], pytorch: [] }
const rates = { layerprune: [], pytorch: [] }
const peakMegabytes = { layerprune: [], pytorch: [] }
let answers
for (let run = 1; run <= Number(values.runs); run++) {
  answers = {}
  for (const [name, command] of Object.entries(commands)) {
    const { elapsed, peak, stdout, stderr } = measure(command)
    const rate = readRate(name === 'layerprune' ? measure([...command, '--verbose']).stderr : stderr)
    seconds[name].push(elapsed)
    rates[name].push(rate)
    peakMegabytes[name].push(peak)
    answers[name] = JSON.parse(stdout)
    console.log(
      `run ${run}  ${name.padEnd(10)}  ${elapsed.toFixed(1)} s  ${rate} tokens/s  peak ${peak.toFixed(0)} MB`,
    )
  }
}
// transformers norms its last hidden state, so the last block is not comparable
const differences = answers.pytorch
  .slice(0, -1)
  .map((distance, start) => Math.abs(distance - answers.layerprune.blocks[start].distance))
const inTurn = (values, digits) =>
  `layerprune ${median(values.layerprune).toFixed(digits)}, pytorch ${median(values.pytorch).toFixed(digits)}`
const ratio = (a, b) => (median(a) / median(b)).toFixed(2)
console.log(
  `whole       ${inTurn(seconds, 1)} s; pytorch / layerprune = ${ratio(seconds.pytorch, seconds.layerprune)}`,
)
console.log(
  `loop        ${inTurn(rates, 0)} tokens/s; layerprune / pytorch = ${ratio(rates.layerprune, rates.pytorch)}`,
)
console.log(`peak        ${inTurn(peakMegabytes, 0)} MB`)
console.log(
  `difference  at most ${Math.max(...differences).toExponential(1)} in the distances of all blocks but the last`,
)
const pairOf = (medians, digits, unit) => ({
  layerprune: `${median(medians.layerprune).toFixed(digits)} ${unit}`,
  other: `PyTorch ${median(medians.pytorch).toFixed(digits)} ${unit}`,
})
handOver([
  {
    what: 'whole process',
    ...pairOf(seconds, 1, 's'),
    ratio: ratio(seconds.pytorch, seconds.layerprune),
  },
  { what: 'loop', ...pairOf(rates, 0, 'tokens/s'), ratio: ratio(rates.layerprune, rates.pytorch) },
  {
    what: 'peak memory',
    ...pairOf(peakMegabytes, 0, 'MB'),
    ratio: ratio(peakMegabytes.pytorch, peakMegabytes.layerprune),
  },
])

function measure([program, ...args]) {
  const start = performance.now()
  const { status, stdout, stderr } = spawnSync(values.python, ['-c', REPORT_PEAK, program, ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  })
  const elapsed = (performance.now() - start) / 1000
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`)
  return { elapsed, stdout, stderr, peak: Number(stderr.trim().split('\n').at(-1)) / 1024 }
}

/** Tokens a second, of a run of its own for layerprune: --verbose takes some seconds to measure the machine. */
function readRate(stderr) {
  return Number(/([\d,]+) tokens\/s/.exec(stderr)[1].replaceAll(',', ''))
}

/** Texts of 20 to 1,000 tokens, each number of tokens as likely as its double, one after the other from the dataset. */
async function writeMixedTexts() {
  const { encode, decode } = await loadTokenizer(resolve(values.model))
  const lines = readFileSync(values.dataset, 'utf8').split('\n')
  const random = createRandom(1)
  const texts = []
  let tokens = []
  for (let line = 0; texts.length < Number(values['dataset-size']); ) {
    const length = Math.round(20 * (longest / 20) ** (random.below(2 ** 32) / 2 ** 32))
    while (tokens.length < length) tokens = [...tokens, ...encode(JSON.parse(lines[line++]).text, Infinity)]
    texts.push(JSON.stringify({ text: decode(tokens.slice(0, length)) }))
    tokens = tokens.slice(length)
  }
  const path = join(output, 'mixed-lengths.jsonl')
  writeFileSync(path, `${texts.join('\n')}\n`)
  return path
}
