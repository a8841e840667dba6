/**
 * What repairing a cut, training it and both are worth, beside the whole model trained the same way: perplexity on
 * texts that nothing was fitted or trained on, and minutes.
 *
 *   npm run build
 *   node bench/heal-table.js --model M --drop 12:20 --train a.jsonl --evaluate b.jsonl --evaluate c.jsonl --work DIR
 *     [--minutes 10] [--texts 64] [--max-length 256] [--shuffle 1] [--threads 2] [--arm NAME]...
 *
 * Arms are whole, whole-trained, cut, cut-healed, repaired, repaired-healed and repaired-distilled, which learns the
 * whole model's probabilities; all of them unless --arm names some. DIR keeps the models and what was measured, so that
 * arms can be run one by one; at the end the table of all is printed. Repair and training measure on the first texts of
 * --train, never on those of --evaluate.
 */

import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { locateModel } from '../dist/engine/model.js'
import { evaluatePerplexity, healModel, makePlan, pruneModel, repairModel } from '../dist/index.js'
import { parseBlocks } from '../dist/model/layers/blocks.js'
import { handOver } from './figures.js'

/** Texts that heal itself measures on, by which it chooses the step whose weights it writes. */
const HEAL_TEXTS = 16
const ARMS = ['whole', 'whole-trained', 'cut', 'cut-healed', 'repaired', 'repaired-healed', 'repaired-distilled']
const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    drop: { type: 'string' },
    train: { type: 'string' },
    evaluate: { type: 'string', multiple: true },
    work: { type: 'string' },
    minutes: { type: 'string', default: '10' },
    texts: { type: 'string', default: '64' },
    'max-length': { type: 'string', default: '256' },
    shuffle: { type: 'string', default: '1' },
    threads: { type: 'string', default: '2' },
    arm: { type: 'string', multiple: true, default: ARMS },
  },
})
const { model, drop, train, evaluate, work } = values
if (!(model && drop && train && evaluate && work)) {
  console.error('error: --model, --drop, --train, --evaluate and --work are needed')
  process.exit(2)
}
const { minutes, texts, shuffle, threads } = Object.fromEntries(
  ['minutes', 'texts', 'shuffle', 'threads'].map((name) => [name, Number(values[name])]),
)
const maxLength = Number(values['max-length'])
const removed = parseBlocks(drop)
const results = join(work, 'results.jsonl')
mkdirSync(work, { recursive: true })
for (const arm of values.arm) await measureArm(arm)
printTable()

async function measureArm(arm) {
  const [start, training] = arm.split('-')
  const source = await make(start)
  const own = { arm, repairMinutes: source.minutes }
  let folder = source.folder
  if (training !== undefined) {
    folder = join(work, arm)
    const healed = await healModel({
      model: source.folder,
      dataset: train,
      output: folder,
      minutes,
      shuffle,
      threads,
      teacher: training === 'distilled' ? model : undefined,
      maxLength,
      evaluateSize: HEAL_TEXTS,
      force: true,
    })
    const { steps, bestStep, seconds, tokensPerSecond, perplexity } = healed
    Object.assign(own, { steps, bestStep, healMinutes: seconds / 60, tokensPerSecond, perplexity })
  }
  own.evaluated = {}
  for (const dataset of evaluate) {
    const options = {
      model: folder,
      dataset,
      datasetSize: texts,
      shuffle,
      maxLength,
      threads,
      candidates: [],
    }
    own.evaluated[basename(dataset)] = (await evaluatePerplexity({ ...options, format: 'safetensors' })).perplexity
  }
  appendFileSync(results, `${JSON.stringify(own)}\n`)
  if (training !== undefined) rmSync(folder, { recursive: true })
}

/** The model that an arm starts from, made once. */
async function make(start) {
  if (start === 'whole') return { folder: model, minutes: 0 }
  const folder = join(work, start)
  const record = join(work, `${start}.minutes`)
  const begin = performance.now()
  if (!existsSync(record)) {
    const { config } = await locateModel({ model })
    const plan = makePlan({ model: { id: model, layers: config.layers }, strategy: 'explicit', removed })
    const repair =
      start === 'repaired'
        ? await repairModel({
            model,
            removed,
            dataset: train,
            evaluateFirst: true,
            shuffle,
            threads,
            maxLength,
          })
        : undefined
    await pruneModel({ model, plan, output: folder, force: true, replacements: repair?.replacements })
    appendFileSync(record, `${(performance.now() - begin) / 60_000}`)
  }
  return { folder, minutes: Number(readFileSync(record, 'utf8')) }
}

function printTable() {
  const lines = readFileSync(results, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const rows = ARMS.flatMap((arm) => lines.findLast((line) => line.arm === arm) ?? [])
  const names = evaluate.map((path) => basename(path))
  const whole = rows.find(({ arm }) => arm === 'whole')?.evaluated
  const shown = (arm, name) => {
    const value = arm.evaluated[name]
    return `${value.toFixed(2)}${whole ? ` (${(value / whole[name]).toFixed(2)} x)` : ''}`
  }
  console.log(`| | minutes | steps | ${names.join(' | ')} |`)
  console.log(`| --- | --: | --: | ${names.map(() => '--:').join(' | ')} |`)
  const figures = []
  for (const row of rows) {
    const spent = (row.repairMinutes + (row.healMinutes ?? 0)).toFixed(1)
    console.log(`| ${row.arm} | ${spent} | ${row.steps ?? ''} | ${names.map((name) => shown(row, name)).join(' | ')} |`)
    figures.push({
      what: `perplexity, ${row.arm}`,
      layerprune: names.map((name) => shown(row, name)).join(', '),
      other: `after ${spent} minutes`,
      ratio: '',
    })
  }
  handOver(figures)
}
