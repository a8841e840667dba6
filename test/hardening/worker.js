// Reads damaged files one after the other, and tells how each ended.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { LayerpruneError } from '../../dist/errors.js'
import { READERS } from './readers.js'

const root = mkdtempSync(join(tmpdir(), 'layerprune-hardening-'))
process.on('exit', () => rmSync(root, { recursive: true, force: true }))
const folders = new Map()

/** A folder with the sound files of a reader, written once. */
function folderOf(name) {
  if (folders.has(name)) return folders.get(name)
  const folder = join(root, String(folders.size))
  for (const [file, bytes] of Object.entries(READERS[name].files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), bytes)
  }
  folders.set(name, folder)
  return folder
}

async function readDamaged(name, bytes) {
  const { damaged, read } = READERS[name]
  const folder = folderOf(name)
  writeFileSync(join(folder, damaged), bytes)
  try {
    await read(folder)
    return { outcome: 'result' }
  } catch (error) {
    const clear =
      error instanceof LayerpruneError &&
      !/is undefined|Cannot read prop|\[object|is not a function/.test(error.message)
    return clear
      ? { outcome: 'error', detail: error.message }
      : { outcome: 'fault', detail: String(error?.stack ?? error) }
  }
}

process.on('message', async ({ name, bytes }) => {
  const outcome = await readDamaged(name, Buffer.from(bytes))
  process.send({ ...outcome, peakBytes: process.resourceUsage().maxRSS * 1024 })
})
