/**
 * Whole-process time, tokens a second without loading, and peak memory of `layerprune similarity` against the same work
 * in PyTorch float32, in turn:
 *
 *   npm run build
 *   node bench/against-pytorch.js --model M --dataset texts.jsonl --python VENV/bin/python [--runs 3]
 *     [--layers-to-skip 8] [--dataset-size 64] [--batch-size 8] [--max-length 256] [--mixed-lengths | --long-texts]
 *     [-- more flags of similarity]
 *
 * Prints each run, the medians and the ratio of the medians. --mixed-lengths takes, instead of the texts of the
 * dataset, texts cut from it of 20 to 1,000 tokens each, log-uniform; --long-texts takes texts of --max-length tokens
 * (then 2,048), and reports the peak memory beside that of layerprune with the texts of the dataset, cut at 256 tokens.
 *
 * The tokens a second of layerprune come from a run of its own, with --verbose: that measures the machine at its end,
 * which takes seconds that no user waits for and that the times of the whole process do not hold.
 */

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createRandom } from '../dist/base/random.js'
import { loadTokenizer } from '../dist/texts/tokens/tokenizer.js'
import { handOver, median } from './figures.js'
import { measureCommand } from './measure-command.js'

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
    'long-texts': { type: 'boolean', default: false },
  },
})
if (!values.model || !values.dataset || !values.python) {
  console.error('error: --model, --dataset and --python are needed')
  process.exit(2)
}

const output = mkdtempSync(join(tmpdir(), 'layerprune-bench-'))
const usual = { texts: '64', tokens: '256' }
const maxLength = values['max-length'] ?? chooseMaxLength()
const work = {
  model: values.model,
  dataset: await prepareTexts(),
  'layers-to-skip': values['layers-to-skip'],
  'dataset-size': values['dataset-size'],
  'batch-size': values['batch-size'],
  'max-length': maxLength,
}
const toFlags = (options) => Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`])
const shared = toFlags(work)
const bin = fileURLToPath(new URL('../bin/layerprune.js', import.meta.url))
const loop = fileURLToPath(new URL('pytorch_loop.py', import.meta.url))
const similarity = (flags) => [
  ...[process.execPath, bin, 'similarity', ...flags],
  ...['--json', '--output', output, '--force', ...positionals],
]
const commands = {
  layerprune: similarity(shared),
  pytorch: [values.python, loop, ...shared],
}

const seconds = { layerprune: [], pytorch: [] }
const rates = { layerprune: [], pytorch: [] }
const peakMegabytes = { layerprune: [], pytorch: [] }
let answers
for (let run = 1; run <= Number(values.runs); run++) {
  answers = {}
  for (const [name, command] of Object.entries(commands)) {
    const measured = measureCommand(values.python, command)
    const spoken = name === 'layerprune' ? measureCommand(values.python, [...command, '--verbose']) : measured
    const rate = readRate(spoken.stderr)
    seconds[name].push(measured.seconds)
    rates[name].push(rate)
    peakMegabytes[name].push(measured.peakMegabytes)
    answers[name] = JSON.parse(measured.stdout)
    console.log(
      `run ${run}  ${name.padEnd(10)}  ${measured.seconds.toFixed(1)} s  ${rate} tokens/s  peak ${measured.peakMegabytes.toFixed(0)} MB`,
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
console.log(`whole       ${inTurn(seconds, 1)} s; pytorch / layerprune = ${ratio(seconds.pytorch, seconds.layerprune)}`)
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
  ...(values['long-texts'] ? [measureUsualPeak()] : []),
])

/** Peak memory of layerprune with texts of the usual length, beside that with the long ones. */
function measureUsualPeak() {
  const { texts, tokens } = usual
  const flags = toFlags({ ...work, dataset: values.dataset, 'dataset-size': texts, 'max-length': tokens })
  const peak = measureCommand(values.python, similarity(flags)).peakMegabytes
  console.log(`peak        ${peak.toFixed(0)} MB with ${texts} texts of at most ${tokens} tokens`)
  const own = median(peakMegabytes.layerprune)
  return {
    what: `peak memory, texts of ${maxLength} tokens`,
    layerprune: `${own.toFixed(0)} MB`,
    other: `with at most ${tokens} tokens ${peak.toFixed(0)} MB`,
    ratio: (peak / own).toFixed(2),
  }
}

function chooseMaxLength() {
  if (values['mixed-lengths']) return 1000
  return values['long-texts'] ? 2048 : Number(usual.tokens)
}

/** The dataset, or texts cut from it. */
async function prepareTexts() {
  const random = createRandom(1)
  if (values['long-texts']) return writeTexts(() => Number(maxLength))
  if (!values['mixed-lengths']) return values.dataset
  // each number of tokens is as likely as its double
  return writeTexts(() => Math.round(20 * (1000 / 20) ** (random.below(2 ** 32) / 2 ** 32)))
}

function readRate(stderr) {
  return Number(/([\d,]+) tokens\/s/.exec(stderr)[1].replaceAll(',', ''))
}

/** Texts of so many tokens each, one after the other from the dataset, which is read again when it ends. */
async function writeTexts(nextLength) {
  const { encode, decode } = await loadTokenizer(resolve(values.model))
  const lines = readFileSync(values.dataset, 'utf8').trimEnd().split('\n')
  const texts = []
  let tokens = []
  for (let line = 0; texts.length < Number(values['dataset-size']); ) {
    const length = nextLength()
    while (tokens.length < length) {
      tokens.push(...(await encode(JSON.parse(lines[line++ % lines.length]).text, Infinity)))
    }
    texts.push(JSON.stringify({ text: await decode(tokens.slice(0, length)) }))
    tokens = tokens.slice(length)
  }
  const path = join(output, 'texts.jsonl')
  writeFileSync(path, `${texts.join('\n')}\n`)
  return path
}
