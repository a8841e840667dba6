// Stops long jobs with SIGINT, SIGTERM and SIGKILL at random times, resumes them, and compares what they write with what
// an unstopped run writes, bit by bit:
//   npm run build && node test/hardening/signals.js --count 60 --seed 1
// Counted are results that differ, states that are missing or say less than the message, and the longest time from a
// signal to the end of the process. --only takes the jobs whose names contain it; --model and --dataset, --length and
// --size take another model, other texts and longer ones.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { listJobs, writeTask } from './long-jobs.js'
import { makeRandom } from './random.js'

const ROOT = join(import.meta.dirname, '../..')
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGKILL']
/** A killed run loses less than this. */
const MOST_LOST_MS = 60_000

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    model: { type: 'string', default: join(ROOT, 'examples/model') },
    dataset: { type: 'string', default: join(ROOT, 'examples/texts.jsonl') },
    length: { type: 'string', default: '128' },
    size: { type: 'string', default: '64' },
  },
})
const root = mkdtempSync(join(tmpdir(), 'layerprune-signals-'))
process.on('exit', () => rmSync(root, { recursive: true, force: true }))
const dataset = resolve(values.dataset)
const lines = readFileSync(dataset, 'utf8').trim().split('\n')
writeTask(
  root,
  lines.map((line) => JSON.parse(line).text),
)
const { length, size } = values
const jobs = listJobs({ model: resolve(values.model), dataset, task: root, length, size })
const names = Object.keys(jobs).filter((name) => name.includes(values.only))

const wholes = new Map()
const figures = names.map(() => ({ signals: 0, stopped: 0, done: 0, different: 0, lost: 0, untrue: 0, slowestMs: 0 }))
for (let number = 0; number < Number(values.count); number++) await stopOnce(number)
const all = { signals: 0, stopped: 0, done: 0, different: 0, lost: 0, untrue: 0, slowestMs: 0 }
for (const row of figures) {
  for (const key of Object.keys(all))
    all[key] = key === 'slowestMs' ? Math.max(all[key], row[key]) : all[key] + row[key]
}
console.table(Object.fromEntries([...names.map((name, place) => [name, figures[place]]), ['all', all]]))
process.exitCode = all.different + all.lost + all.untrue > 0 ? 1 : 0

async function stopOnce(number) {
  const place = number % names.length
  const [name, row, job] = [names[place], figures[place], jobs[names[place]]]
  // each job gets each signal in turn
  const signal = SIGNALS[(Math.floor(number / names.length) + place) % SIGNALS.length]
  const whole = wholes.get(name) ?? (await runWhole(name, job))
  const afterMs = Math.floor((whole.ms * makeRandom(Number(values.seed), number)(1000)) / 1000)
  const cwd = mkdtempSync(join(root, 'run-'))
  const stopped = await run(job.args, cwd, { signal, afterMs })
  row.signals++
  process.stderr.write(`${number} ${name}, ${signal} after ${afterMs} of ${Math.round(whole.ms)} ms\n`)
  if (stopped.code === 0) {
    row.done++
    return
  }
  row.stopped++
  // before the program listens to signals, and while it writes the result, each of them kills it
  const isKilled = stopped.code === null
  if (!isKilled) row.slowestMs = Math.max(row.slowestMs, stopped.endedMs)
  const report = (what) => console.log(`${number} ${name}, ${signal} after ${afterMs} ms: ${what}`)
  const states = job.states.map((state) => join(cwd, state)).filter((path) => existsSync(path))
  const problem = isKilled ? findLoss(states, stopped) : findUntruth(states, stopped)
  if (problem) {
    row[isKilled ? 'lost' : 'untrue']++
    report(`${problem}\n${stopped.stderr}`)
  }
  const isDone = existsSync(join(cwd, job.output)) && states.length === 0
  const resumed = isDone ? { code: 0 } : await run([...job.args, ...(states.length > 0 ? ['--resume'] : [])], cwd)
  const found = resumed.code === 0 ? readResult(join(cwd, job.output)) : `exit code ${resumed.code}: ${resumed.stderr}`
  if (found !== whole.result) {
    row.different++
    report(`resumed, it ends otherwise: ${found.length > 2000 ? 'another result' : found}`)
  }
  rmSync(cwd, { recursive: true, force: true })
}

async function runWhole(name, { args, output }) {
  const cwd = mkdtempSync(join(root, 'whole-'))
  const startMs = performance.now()
  const { code, stderr } = await run(args, cwd)
  if (code !== 0) throw new Error(`${name} fails: ${stderr}`)
  const whole = { ms: performance.now() - startMs, result: readResult(join(cwd, output)) }
  wholes.set(name, whole)
  return whole
}

/** What is wrong with the state that a killed run left; a state is due a second after the first that is to be kept. */
function findLoss(states, { runMs, endTime }) {
  if (states.length === 0) return runMs > MOST_LOST_MS ? 'no state after a minute' : undefined
  const newest = Math.max(...states.map((path) => statSync(path).mtimeMs))
  return endTime - newest > MOST_LOST_MS ? `the state is ${endTime - newest} ms old` : undefined
}

/** What is wrong with what an interrupted run says. */
function findUntruth(states, { code, stderr }) {
  if (code !== 130) return `exit code ${code}`
  if (!/^error: interrupted /m.test(stderr)) return 'it does not say that it was interrupted'
  const says = /--resume continues|--resume writes/.test(stderr)
  if (says && states.length === 0) return 'it says that --resume continues, and no state is there'
  if (!says && states.length > 0) return 'a state is there, and it does not say so'
  const steps = /interrupted after (\d+) steps?;/.exec(stderr)?.[1]
  const training = states.find((path) => path.endsWith('-training'))
  if (steps === undefined || training === undefined) return undefined
  const bytes = readFileSync(training)
  const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString())
  const { taken } = JSON.parse(header.__metadata__['layerprune.training'])
  return taken === Number(steps) ? undefined : `it says ${steps} steps, and the state has ${taken}`
}

/** JSON without what depends on the machine's speed; other files as hex. */
function readResult(path) {
  const bytes = readFileSync(path)
  if (!path.endsWith('.json')) return bytes.toString('hex')
  return JSON.stringify(JSON.parse(bytes.toString()), (key, value) => (key === 'tokensPerSecond' ? null : value))
}

function run(args, cwd, { signal, afterMs } = {}) {
  return new Promise((done) => {
    const startMs = performance.now()
    const child = spawn(process.execPath, [join(ROOT, 'bin/layerprune.js'), ...args], { cwd })
    let stderr = ''
    let signalMs = Number.NaN
    child.stderr.on('data', (text) => {
      stderr += text
    })
    child.stdout.resume()
    const timer =
      signal &&
      setTimeout(() => {
        signalMs = performance.now()
        child.kill(signal)
      }, afterMs)
    child.on('close', (code) => {
      clearTimeout(timer)
      const endMs = performance.now()
      done({ code, stderr, runMs: endMs - startMs, endedMs: Math.round(endMs - signalMs), endTime: Date.now() })
    })
  })
}
