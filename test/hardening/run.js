// Damages the files that each reader reads, in turn, and counts how the readers take it: a clear error or a result,
// never another exception, a hang (10 s) or more than 2 GB. The nightly run:
//   npm run build && node test/hardening/run.js --count 10000 --seed 1
// A case that went wrong is kept in the folder of --keep.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { READERS } from './readers.js'

const MAX_MS = 10_000
const MAX_RSS_BYTES = 2e9

const { values } = parseArgs({
  options: { count: { type: 'string' }, seed: { type: 'string' }, keep: { type: 'string' } },
})
const count = Number(values.count ?? 500)
const random = makeRandom(Number(values.seed ?? 1))
const names = Object.keys(READERS)
const tally = Object.fromEntries(
  names.map((name) => [name, { error: 0, result: 0, fault: 0, hang: 0, memory: 0 }]),
)
let worker = startWorker()

for (const name of names) {
  const { files, damaged } = READERS[name]
  const sound = await readInWorker(name, files[damaged])
  if (sound.outcome !== 'result') throw new Error(`${name}: the sound files are not read: ${sound.detail}`)
}
for (let i = 0; i < count; i++) {
  const name = names[i % names.length]
  const { files, damaged } = READERS[name]
  const bytes = mutate(files[damaged])
  const { outcome, detail } = await readInWorker(name, bytes)
  tally[name][outcome]++
  if (outcome === 'error' || outcome === 'result') continue
  process.exitCode = 1
  console.error(`${outcome}: ${name}, mutation ${i}${detail ? `: ${detail}` : ''}`)
  if (values.keep) {
    mkdirSync(values.keep, { recursive: true })
    writeFileSync(join(values.keep, `${i}-${damaged.replaceAll('/', '_')}`), bytes)
  }
}
await worker.terminate()
console.table(tally)

function startWorker() {
  return new Worker(new URL('./worker.js', import.meta.url))
}

/** How a reader took the bytes; a worker that hangs, dies or holds too much memory is replaced. */
async function readInWorker(name, bytes) {
  let timer
  const answer = await new Promise((resolve) => {
    timer = setTimeout(() => resolve({ outcome: 'hang' }), MAX_MS)
    worker.once('message', resolve)
    worker.once('error', (error) =>
      resolve({ outcome: 'fault', detail: `the worker died: ${error.message}` }),
    )
    worker.postMessage({ name, bytes })
  })
  clearTimeout(timer)
  for (const event of ['message', 'error']) worker.removeAllListeners(event)
  const tooLarge = answer.rssBytes > MAX_RSS_BYTES
  if (answer.outcome === 'hang' || answer.rssBytes === undefined || tooLarge) {
    await worker.terminate()
    worker = startWorker()
  }
  return tooLarge ? { outcome: 'memory', detail: `${answer.rssBytes} bytes` } : answer
}

/** One to three changes of bytes, pieces, digits or the length. Half of them hit the first and last 512 bytes. */
function mutate(sound) {
  let bytes = Buffer.from(sound)
  for (let changes = 1 + random(3); changes > 0 && bytes.length > 0; changes--) bytes = change(bytes)
  return bytes
}

function change(bytes) {
  const at = choosePlace(bytes.length)
  switch (random(7)) {
    case 0:
      bytes[at] ^= 1 << random(8)
      return bytes
    case 1:
      bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random(5)]
      return bytes
    case 2:
      bytes[at] = '0123456789-.e[]{},:"\\/'.charCodeAt(random(22))
      return bytes
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(32))])
    case 4:
      return Buffer.concat([bytes.subarray(0, Math.min(bytes.length, at + random(32))), bytes.subarray(at)])
    case 5:
      return bytes.subarray(0, random(bytes.length))
    default:
      for (let i = at; i < Math.min(at + 8, bytes.length); i++) bytes[i] = random(256)
      return bytes
  }
}

function choosePlace(length) {
  const edge = Math.min(512, length)
  return [random(length), random(length), random(edge), length - 1 - random(edge)][random(4)]
}

/** Whole numbers below a bound, the same ones for a seed (xorshift). */
function makeRandom(seed) {
  let state = seed | 0 || 1
  return (bound) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % bound
  }
}
