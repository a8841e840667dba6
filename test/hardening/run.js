// Damages the files that each reader reads, in turn, and counts how the readers take it: a clear error or a result,
// never another exception, a crash of the process, a hang (10 s) or more than 2 GB. The nightly run:
//   npm run build && node test/hardening/run.js --count 10000 --seed 1
// A case that went wrong is kept in the folder of --keep. --only takes the readers whose names contain it.
import { fork } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { makeRandom, mutateBytes } from './mutate.js'
import { READERS } from './readers.js'

const MAX_MS = 10_000
const MAX_RSS_BYTES = 2e9

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'string' },
    only: { type: 'string', default: '' },
  },
})
const random = makeRandom(Number(values.seed))
const names = Object.keys(READERS).filter((name) => name.includes(values.only))
const tally = Object.fromEntries(
  names.map((name) => [name, { error: 0, result: 0, fault: 0, crash: 0, hang: 0, memory: 0 }]),
)
let worker = startWorker()

for (const name of names) {
  const { files, damaged } = READERS[name]
  const sound = await read(name, files[damaged])
  if (sound.outcome !== 'result') throw new Error(`${name}: the sound files are not read: ${sound.detail}`)
}
for (let i = 0; i < Number(values.count); i++) {
  const name = names[i % names.length]
  const { files, damaged, mutate = mutateBytes } = READERS[name]
  const bytes = mutate(files[damaged], random)
  const { outcome, detail } = await read(name, bytes)
  tally[name][outcome]++
  if (outcome === 'error' || outcome === 'result') continue
  process.exitCode = 1
  console.error(`${outcome}: ${name}, mutation ${i}${detail ? `: ${detail}` : ''}`)
  if (values.keep) {
    mkdirSync(values.keep, { recursive: true })
    writeFileSync(join(values.keep, `${i}-${damaged.replaceAll('/', '_')}`), bytes)
  }
}
worker.kill()
console.table(tally)

/** A process of its own: native code may end it. */
function startWorker() {
  return fork(fileURLToPath(new URL('./worker.js', import.meta.url)), { serialization: 'advanced' })
}

/** How a reader took the bytes. What is late is read again with more time: a busy machine is no hang. */
async function read(name, bytes) {
  const answer = await readInWorker(name, bytes, MAX_MS)
  return answer.outcome === 'hang' ? readInWorker(name, bytes, 6 * MAX_MS) : answer
}

/** A worker that hangs, dies or held too much memory is replaced. */
async function readInWorker(name, bytes, maxMs) {
  let timer
  const answer = await new Promise((resolve) => {
    timer = setTimeout(() => resolve({ outcome: 'hang' }), maxMs)
    worker.once('message', resolve)
    worker.once('exit', (code, signal) => resolve({ outcome: 'crash', detail: `exit ${signal ?? code}` }))
    worker.send({ name, bytes })
  })
  clearTimeout(timer)
  worker.removeAllListeners()
  const tooLarge = answer.peakBytes > MAX_RSS_BYTES
  if (answer.peakBytes === undefined || tooLarge) {
    worker.kill('SIGKILL')
    worker = startWorker()
  }
  return tooLarge ? { outcome: 'memory', detail: `${answer.peakBytes} bytes, then ${answer.detail}` } : answer
}
