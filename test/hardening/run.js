// Damages the files that each reader reads, in turn, and counts how the readers take it: a clear error or a result,
// never a wrong success, another exception, a crash of the process, a hang (10 s) or more than 2 GB. A night's run:
//   npm run build && node test/hardening/run.js --count 20000 --seed 1
// A case that went wrong is kept in the folder of --keep, and comes again with --start NUMBER --count 1 and the same
// seed. --only takes the readers whose names contain it; --jobs processes read at once.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { makeDocuments } from './documents.js'
import { isRight, isSame, OUTCOMES } from './outcomes.js'
import { makeRandom, pick } from './random.js'
import { makeReaders } from './readers.js'
import { ReadingProcess } from './reading-process.js'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    start: { type: 'string', default: '0' },
    jobs: { type: 'string', default: '1' },
    keep: { type: 'string' },
    only: { type: 'string', default: '' },
  },
})
const root = mkdtempSync(join(tmpdir(), 'layerprune-hardening-'))
process.on('exit', () => rmSync(root, { recursive: true, force: true }))
const documents = await makeDocuments()
writeFileSync(join(root, 'documents.json'), JSON.stringify(documents))

const readers = makeReaders(documents)
const names = Object.keys(readers).filter((name) => name.includes(values.only))
const tally = Object.fromEntries(
  names.map((name) => [name, Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0]))]),
)
// those that take long come a quarter as often
const quick = names.filter((name) => !readers[name].slow)
const turns = [...names, ...quick, ...quick, ...quick]
const end = Number(values.start) + Number(values.count)
let next = Number(values.start)
const sound = new Map()

const processes = Array.from({ length: Number(values.jobs) }, () => new ReadingProcess(root))
await Promise.all(processes.map(readInTurn))
// a reader that refuses everything would refuse nothing wrongly
for (const [name, { error, result }] of Object.entries(tally)) {
  if (error > 0 && result === 0) await readSound(processes[0], name, Object.keys(readers[name].variants)[0])
}
for (const reading of processes) reading.end()

const sum = (outcome) => Object.values(tally).reduce((total, counts) => total + counts[outcome], 0)
tally.all = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, sum(outcome)]))
console.table(tally)

async function readInTurn(reading) {
  while (next < end) await readCase(reading, next++)
}

async function readCase(reading, number) {
  const random = makeRandom(Number(values.seed), number)
  const name = turns[number % turns.length]
  const { variants, mutate, compare } = readers[name]
  const variant = pick(Object.keys(variants), random)
  const { files, damaged } = variants[variant]
  const bytes = mutate(files[damaged], random)
  let { outcome, detail, value } = await reading.read({ name, variant, bytes })
  if (outcome === 'result' && compare) {
    const expected = await readSound(reading, name, variant)
    if (!isSame(value, expected)) {
      ;[outcome, detail] = ['wrong', `${JSON.stringify(value)}, sound files give ${JSON.stringify(expected)}`]
    }
  }
  tally[name][outcome]++
  if (isRight(outcome)) return
  process.exitCode = 1
  console.error(`${outcome}: ${name} (${variant}), case ${number}${detail ? `: ${detail}` : ''}`)
  if (!values.keep) return
  mkdirSync(values.keep, { recursive: true })
  writeFileSync(join(values.keep, `${number}-${variant}-${damaged.replaceAll('/', '_')}`), bytes)
}

/** What the sound files of a variant give, read once. */
async function readSound(reading, name, variant) {
  const key = `${name}\n${variant}`
  if (!sound.has(key)) {
    const { variants, mayRefuse } = readers[name]
    const { files, damaged } = variants[variant]
    const { outcome, detail, value } = await reading.read({ name, variant, bytes: files[damaged] })
    if (outcome !== 'result' && !(mayRefuse && outcome === 'error')) {
      throw new Error(`${name} (${variant}): the sound files are not read: ${detail}`)
    }
    sound.set(key, value)
  }
  return sound.get(key)
}
