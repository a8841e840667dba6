// Reads damaged files one after the other, and tells how each ended.
//   node test/hardening/worker.js FOLDER   with documents.json in it, and room for files
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { LayerpruneError } from '../../dist/base/errors.js'
import { WrongSuccess } from './outcomes.js'
import { makeReaders } from './readers.js'

const root = process.argv[2]
const readers = makeReaders(JSON.parse(readFileSync(join(root, 'documents.json'))))
const folders = new Map()

/** A folder of this process with the sound files of a variant, written once. */
function folderOf(name, variant) {
  const key = `${name}\n${variant}`
  if (!folders.has(key)) {
    const folder = join(root, `${process.pid}`, String(folders.size))
    for (const [file, bytes] of Object.entries(readers[name].variants[variant].files)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true })
      writeFileSync(join(folder, file), bytes)
    }
    folders.set(key, folder)
  }
  return folders.get(key)
}

async function readDamaged(name, variant, bytes) {
  const { variants, read } = readers[name]
  const folder = folderOf(name, variant)
  writeFileSync(join(folder, variants[variant].damaged), bytes)
  try {
    return { outcome: 'result', value: await read(folder, variant) }
  } catch (error) {
    if (error instanceof WrongSuccess) return { outcome: 'wrong', detail: error.message }
    return isClear(error)
      ? { outcome: 'error', detail: error.message }
      : { outcome: 'fault', detail: String(error?.stack ?? error) }
  }
}

const isClear = (error) =>
  error instanceof LayerpruneError && !/is undefined|Cannot read prop|\[object|is not a function$/m.test(error.message)

process.on('message', async ({ name, variant, bytes }) => {
  const outcome = await readDamaged(name, variant, Buffer.from(bytes))
  process.send({ ...outcome, peakBytes: process.resourceUsage().maxRSS * 1024 })
})
