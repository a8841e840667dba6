/**
 * After how many texts `--until` stops, in many shuffles of a dataset, and whether it stops at the block that
 * all texts find:
 *
 *   npm run build
 *   node bench/until.js --model M --dataset texts.jsonl [--max-length 256] [--dataset-size N] [--sizes 4,8]
 *     [--tokens last,tail:32] [--until 0.95] [--shuffles 20] [--seed 1] [--threads N] [--distances FILE]
 *
 * Every text is measured once. With --distances the numbers are kept in FILE (JSON) and taken from there the next
 * time. The shuffles go through the code that `layerprune similarity` runs.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { createRandom, shuffleInPlace } from '../dist/base/random.js'
import { MIN_TEXTS } from '../dist/base/statistics/sequential.js'
import { TextStatistics } from '../dist/base/statistics/text-statistics.js'
import { openModel } from '../dist/engine/model.js'
import { openWholeSession } from '../dist/engine/sessions/whole-session.js'
import { addDistances, blockIndex, countBlocks } from '../dist/jobs/similarity/distances.js'
import { chooseWindowBatches } from '../dist/jobs/similarity/options.js'
import { assessBest } from '../dist/results/documents/certainty.js'
import { openDataset } from '../dist/texts/data/dataset.js'
import { parseTokenSelection, selectTokens } from '../dist/texts/tokens/token-selection.js'
import { loadTokenizer } from '../dist/texts/tokens/tokenizer.js'
import { handOver } from './figures.js'

const BATCH_SIZE = 8

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    dataset: { type: 'string' },
    'dataset-size': { type: 'string' },
    'max-length': { type: 'string', default: '256' },
    sizes: { type: 'string', default: '4,8' },
    tokens: { type: 'string', default: 'last,tail:32' },
    until: { type: 'string', default: '0.95' },
    shuffles: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    threads: { type: 'string' },
    distances: { type: 'string' },
  },
})
const until = Number(values.until)
const sizes = values.sizes.split(',').map(Number)
const selections = values.tokens.split(',').map(parseTokenSelection)
const measured = await takeDistances()
const figures = []

for (const n of sizes) {
  for (const tokens of selections) {
    const texts = measured.tokens[tokens].counts.map((count, text) => ({
      count,
      sums: Float64Array.from(measured.tokens[tokens].distances[n][text], (distance) => distance * count),
    }))
    figures.push(reportShuffles(n, tokens, texts))
  }
}
handOver(figures)

function reportShuffles(n, tokens, texts) {
  const random = createRandom(Number(values.seed))
  const all = takeUp(n, texts)
  const stops = Array.from({ length: Number(values.shuffles) }, () => stop(n, shuffleInPlace([...texts], random)))
  const counts = stops.map(({ certainty }) => certainty.texts).sort((a, b) => a - b)
  const right = stops.filter(({ best }) => best.start === all.best.start).length
  const sure = stops.filter(({ certainty }) => certainty.confidence >= until).length
  // the rival whose difference is the noisiest, not always the one whose distance is the second smallest
  const { difference, standardError } = all.others.reduce((a, b) =>
    b.difference / b.standardError < a.difference / a.standardError ? b : a,
  )
  const middle = counts[Math.floor(counts.length / 2)]
  const deviation = standardError * Math.sqrt(texts.length)
  console.log(
    `n ${n}, ${tokens.padEnd(8)} best of all ${texts.length} texts [${all.best.start}, ${all.best.end}); ` +
      `hardest rival ${difference.toFixed(4)} more, deviation ${deviation.toFixed(4)} a text\n` +
      `  --until ${until}: ${sure} of ${stops.length} shuffles sure, ${right} right; texts needed: ` +
      `least ${counts[0]}, median ${middle}, most ${counts.at(-1)}`,
  )
  return {
    what: `texts until ${until} sure, n = ${n}, tokens ${tokens}`,
    layerprune: `${counts[0]} to ${counts.at(-1)}, median ${middle}`,
    other: `all ${texts.length}; ${right} of ${stops.length} shuffles find the same block`,
    ratio: '',
  }
}

/** What a run with --until makes of texts in this order. */
function stop(n, texts) {
  let statistics
  let outcome
  for (let rows = 0; rows < texts.length; ) {
    const window = BATCH_SIZE * chooseWindowBatches({ until, batchSize: BATCH_SIZE }, rows)
    outcome = takeUp(n, texts.slice(rows, rows + window), statistics)
    statistics = outcome.statistics
    rows += window
    if (statistics.texts >= MIN_TEXTS && outcome.certainty.confidence >= until) break
  }
  return outcome
}

/** Adds texts to statistics and compares the blocks by all that they hold. */
function takeUp(n, texts, statistics) {
  const size = texts[0].sums.length
  const all = statistics ?? new TextStatistics(size, [{ from: 0, size }])
  for (const { sums, count } of texts) all.addText(sums, count)
  const blocks = Array.from({ length: size }, (_, start) => ({ start, end: start + n }))
  const best = blocks.reduce((a, b) => (all.mean(b.start) < all.mean(a.start) ? b : a))
  const compare = (block, other) => all.difference(block.start, other.start)
  const certainty = assessBest(blocks, best, compare, { texts: all.texts, test: 'sequential', level: until })
  const others = blocks.filter((block) => block !== best).map((block) => compare(block, best))
  return { statistics: all, best, certainty, others }
}

async function takeDistances() {
  if (values.distances && existsSync(values.distances)) return JSON.parse(readFileSync(values.distances, 'utf8'))
  const distances = await measureDistances()
  if (values.distances) writeFileSync(values.distances, `${JSON.stringify(distances)}\n`)
  return distances
}

/** Mean distances of every text: for each token selection the tokens counted, and for each n a row of blocks. */
async function measureDistances() {
  const datasetSize = values['dataset-size'] && Number(values['dataset-size'])
  const dataset = await openDataset({ dataset: values.dataset, datasetSize })
  const model = await openModel({ model: values.model })
  const { layers } = model.config
  const { encode } = await loadTokenizer(model.folder)
  const threads = values.threads && Number(values.threads)
  const session = await openWholeSession(model.decoder, model.config, { device: 'cpu', threads })
  const tokens = Object.fromEntries(
    selections.map((name) => [name, { counts: [], distances: Object.fromEntries(sizes.map((n) => [n, []])) }]),
  )
  for await (const { text, origin } of dataset.rows()) {
    const ids = await encode(text, Number(values['max-length']))
    const batch = { texts: [{ ids, origin }], asked: [ids.map((_, token) => token)] }
    const { value: gram } = await session.measureGrams([batch]).next()
    for (const name of selections) {
      const chosen = selectTokens(ids.length, name)
      const sums = new Float64Array(countBlocks(layers))
      const size = (layers + 1) ** 2
      for (const token of chosen)
        addDistances(gram.subarray(token * size, (token + 1) * size), layers, ['angular'], sums)
      tokens[name].counts.push(chosen.length)
      for (const n of sizes) {
        const from = blockIndex(layers, n, 0)
        const row = Array.from(sums.subarray(from, from + layers - n + 1), (sum) => sum / chosen.length)
        tokens[name].distances[n].push(row.map((distance) => Number(distance.toFixed(5))))
      }
    }
  }
  await session.close()
  return {
    model: basename(values.model),
    dataset: basename(values.dataset),
    maxLength: values['max-length'],
    tokens,
  }
}
