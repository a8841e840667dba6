/**
 * Perplexity of a model without some of its layers, by every strategy, with and without repair:
 *
 *   npm run build
 *   awk 'NR % 2 { print > "odd.jsonl"; next } { print > "even.jsonl" }' texts.jsonl
 *   node bench/strategies.js --model M --calibrate odd.jsonl --evaluate even.jsonl
 *     [--layers-to-skip 8] [--strategies angular,repaired] [--evaluate-size 64] [--max-length 256] [--shuffle 1]
 *
 * Plans and repairs see the texts of --calibrate alone (the strategies' own numbers of them, and 128 for repairs), the
 * perplexities are of the first texts of --evaluate. Prints a table in Markdown, row by row as they are done. The
 * README's is of SmolLM2-135M-Instruct and the 2,251 passages of the King James Bible, with --shuffle 1.
 */
import { parseArgs } from 'node:util'
import { planLayers, repairModel, STRATEGIES } from '../dist/index.js'
import { handOver } from './figures.js'

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    calibrate: { type: 'string' },
    evaluate: { type: 'string' },
    'layers-to-skip': { type: 'string', default: '8' },
    strategies: { type: 'string', default: STRATEGIES.filter((name) => name !== 'task').join(',') },
    'evaluate-size': { type: 'string', default: '64' },
    'max-length': { type: 'string', default: '256' },
    shuffle: { type: 'string' },
    threads: { type: 'string' },
  },
})
const { model, calibrate: dataset, evaluate: evaluateOn } = values
if (!model || !dataset || !evaluateOn) {
  console.error('error: --model, --calibrate and --evaluate are needed')
  process.exit(2)
}
const numberOf = (value) => (value === undefined ? undefined : Number(value))
const shared = {
  model,
  dataset,
  maxLength: Number(values['max-length']),
  shuffle: numberOf(values.shuffle),
  threads: numberOf(values.threads),
}

const seconds = async (run) => {
  const start = performance.now()
  const result = await run()
  return [result, ((performance.now() - start) / 1000).toFixed(0)]
}
const show = (value) => (value === null ? 'not finite' : value.toPrecision(value < 1e5 ? 4 : 2))

const figures = []
console.log('| strategy | layers that go | whole | cut | repaired | plan, s | repair, s |')
console.log('| --- | --- | ---: | ---: | ---: | ---: | ---: |')
for (const strategy of values.strategies.split(',')) {
  const [plan, planned] = await seconds(() =>
    planLayers({ ...shared, strategy, layersToSkip: Number(values['layers-to-skip']) }),
  )
  const [{ report }, repaired] = await seconds(() =>
    repairModel({
      ...shared,
      removed: plan.removed,
      evaluateOn,
      evaluateSize: Number(values['evaluate-size']),
    }),
  )
  const layers = plan.removed.map(({ start, end }) => (end - start === 1 ? `${start}` : `${start}:${end}`))
  const { whole, cut, repaired: after } = report.perplexity
  const cells = [strategy, layers.join(', '), show(whole), show(cut), show(after), planned, repaired]
  console.log(`| ${cells.join(' | ')} |`)
  figures.push({
    what: `perplexity, ${strategy}, layers ${layers.join(', ')}`,
    layerprune: `cut ${show(cut)}, repaired ${show(after)}`,
    other: `whole ${show(whole)}`,
    ratio: '',
  })
}
handOver(figures)
