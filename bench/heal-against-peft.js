/**
 * Tokens a second and peak memory of a training step of `layerprune heal` against PEFT with PyTorch float32, step by
 * step in turn on the same sequences, so that both meet the same load of the machine:
 *
 *   npm run build
 *   node bench/heal-against-peft.js --model M --dataset texts.jsonl --python VENV/bin/python [--steps 8]
 *     [--batch-size 4] [--max-length 256] [--rank 16] [--threads 2] [--dtype bf16]
 *
 * The first step of each, in which memory is found, does not count. Prints each step, then medians; processor seconds
 * are reported too, for they depend less on what else the machine does.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openModel } from '../dist/engine/model.js'
import { GradientSource } from '../dist/jobs/heal/gradient-source.js'
import { AdamW, clipGradients } from '../dist/jobs/heal/optimizer.js'
import { packTexts } from '../dist/jobs/heal/pack-texts.js'
import { listTargets } from '../dist/jobs/heal/targets.js'
import { makeTrainable } from '../dist/jobs/heal/trained-form.js'
import { describeDecoder } from '../dist/model/builder/build-decoder.js'
import { openDataset } from '../dist/texts/data/dataset.js'
import { loadTokenizer } from '../dist/texts/tokens/tokenizer.js'
import { handOver, median } from './figures.js'

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    dataset: { type: 'string' },
    python: { type: 'string' },
    steps: { type: 'string', default: '8' },
    'batch-size': { type: 'string', default: '4' },
    'max-length': { type: 'string', default: '256' },
    rank: { type: 'string', default: '16' },
    threads: { type: 'string', default: '2' },
    dtype: { type: 'string' },
  },
})
if (!values.model || !values.dataset || !values.python) {
  console.error('error: --model, --dataset and --python are needed')
  process.exit(2)
}
const [steps, batchSize, maxLength, rank, threads] = [
  values.steps,
  values['batch-size'],
  values['max-length'],
  values.rank,
  values.threads,
].map(Number)

const batches = await readBatches()
const peft = await startPeft()
const layerprune = await startLayerprune()
const measured = { layerprune: [], peft: [] }
for (const [step, batch] of batches.entries()) {
  for (const [name, take] of Object.entries({ layerprune, peft })) {
    const numbers = await take(batch)
    if (step > 0) measured[name].push(numbers)
    console.log(
      `step ${step}  ${name.padEnd(10)}  ${numbers.seconds.toFixed(2)} s  ${numbers.processorSeconds.toFixed(2)} processor s  loss ${numbers.loss.toFixed(4)}  peak ${numbers.peakMegabytes.toFixed(0)} MB`,
    )
  }
}
report()
process.exit(0)

function report() {
  const tokens = batchSize * maxLength
  const figures = []
  for (const [what, key] of [
    ['time', 'seconds'],
    ['processor', 'processorSeconds'],
  ]) {
    const [own, other] = [measured.layerprune, measured.peft].map((list) => median(list.map((one) => one[key])))
    console.log(
      `${what.padEnd(10)}  layerprune ${(tokens / own).toFixed(0)}, PEFT ${(tokens / other).toFixed(0)} tokens per second; ratio ${(other / own).toFixed(2)}`,
    )
    const rateOf = (seconds) => `${(tokens / seconds).toFixed(0)} tokens/s`
    figures.push({
      what: `training step, ${what}`,
      layerprune: rateOf(own),
      other: `PEFT ${rateOf(other)}`,
      ratio: (other / own).toFixed(2),
    })
  }
  const [own, other] = [measured.layerprune, measured.peft].map((list) => list.at(-1).peakMegabytes)
  console.log(`peak        layerprune ${own.toFixed(0)}, PEFT ${other.toFixed(0)} MB`)
  figures.push({
    what: 'training step, peak memory',
    layerprune: `${own.toFixed(0)} MB`,
    other: `PEFT ${other.toFixed(0)} MB`,
    ratio: (other / own).toFixed(2),
  })
  handOver(figures)
}

async function readBatches() {
  const { encode } = await loadTokenizer(values.model)
  const dataset = await openDataset({ dataset: values.dataset })
  const most = (steps + 1) * batchSize
  const options = { maxLength, most, endToken: null, accepts: () => true }
  const { sequences } = await packTexts(dataset.rows(), encode, options)
  return Array.from({ length: steps + 1 }, (_, step) => sequences.slice(step * batchSize, (step + 1) * batchSize))
}

async function startPeft() {
  const file = join(mkdtempSync(join(tmpdir(), 'layerprune-bench-')), 'sequences.json')
  writeFileSync(file, JSON.stringify(batches.map((batch) => batch.map(({ ids }) => ids))))
  const loop = fileURLToPath(new URL('heal_loop.py', import.meta.url))
  const args = [loop, values.model, file, `${rank}`, `${threads}`]
  const child = spawn(values.python, args, { stdio: ['pipe', 'pipe', 'ignore'] })
  const lines = createInterface({ input: child.stdout })
  await once(lines, 'line')
  return async () => {
    const answer = once(lines, 'line')
    child.stdin.write('step\n')
    return JSON.parse((await answer)[0])
  }
}

async function startLayerprune() {
  const model = await openModel({ model: values.model, format: 'safetensors', dtype: values.dtype }, 'train')
  const modules = listTargets(describeDecoder(model.config, model.tensors), model.tensors)
  const form = await makeTrainable(model.decoder, model.tensors, modules, { rank, seed: 0 })
  const source = await GradientSource.open(form.decoder, model.config, {
    device: 'cpu',
    threads,
    trained: form.trained,
  })
  const optimizer = new AdamW(form.start, { betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0 })
  return async (texts) => {
    const [start, used] = [performance.now(), process.cpuUsage()]
    const gradients = new Map([...form.start].map(([name, { length }]) => [name, new Float32Array(length)]))
    const predicted = batchSize * (maxLength - 1)
    const { nats } = await source.addGradients(texts, form.start, 1 / predicted, gradients)
    clipGradients(gradients, 1)
    optimizer.step(form.start, gradients, 1e-3)
    const { user, system } = process.cpuUsage(used)
    return {
      seconds: (performance.now() - start) / 1000,
      processorSeconds: (user + system) / 1e6,
      loss: nats / predicted,
      peakMegabytes: process.resourceUsage().maxRSS / 1000,
    }
  }
}
