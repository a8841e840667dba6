import { createHash, randomBytes } from 'node:crypto'
import { open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { explainFailure, OTHER_CACHE, writeExactly } from '../../base/write-files.js'
import { type HashOptions, hashFiles } from '../../files/checkpoint/hash-files.js'
import { listParts } from '../../files/checkpoint/weight-expression.js'
import type { StoredNumbers } from '../../model/graph/int8/weight-products.js'
import type { Layout, Place } from './layout.js'
import { makeMatrices } from './make-matrices.js'
import type { PlannedMatrix } from './make-matrix.js'

/** Changes whenever the same weights give other bytes, or plans have other keys. */
const FORMAT = 'layerprune int8 13'

/** Hex digits of the hashes in file names. */
const DIGITS = 32

type FileOptions = Pick<HashOptions, 'signal' | 'onProgress'>

/** Identifies planned matrices by content, wherever their files are. */
export async function identifyMatrices(
  plans: PlannedMatrix[],
  folder: string,
  options: FileOptions = {},
): Promise<string> {
  const files = plans.flatMap(({ numbers }) => listFiles(numbers))
  const hashes: Map<unknown, string> = await hashFiles(files, { folder, ...options })
  const described = JSON.stringify(plans, (key, value) => (key === 'file' ? hashes.get(value) : value))
  return createHash('sha256').update(FORMAT).update(described).digest('hex').slice(0, DIGITS)
}

function listFiles(numbers: StoredNumbers): string[] {
  return 'expression' in numbers ? listParts(numbers.expression).map(({ part }) => part.file) : [numbers.file]
}

/**
 * Finds the file of planned matrices. Its name ends in the hash of its content, which is checked: a truncated or
 * changed file is not used.
 * @returns its path; null if there is no intact file
 */
export async function findInt8File(
  folder: string,
  identity: string,
  options: FileOptions = {},
): Promise<string | null> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${identity}-`) || !name.endsWith('.int8')) continue
    const path = join(folder, name)
    if (name === (await nameFile(path, folder, identity, options))) return path
  }
  return null
}

/** The name of a file by its content. */
async function nameFile(path: string, folder: string, identity: string, options: FileOptions = {}): Promise<string> {
  const hash = (await hashFiles([path], { folder, ...options })).get(path)!
  return `${identity}-${hash.slice(0, DIGITS)}.int8`
}

/**
 * Makes matrices and writes them to a file, which appears only once it is complete; returns its path.
 * @throws LayerpruneError if it cannot be written, or a matrix cannot be made
 */
export async function writeInt8File(
  folder: string,
  identity: string,
  plans: PlannedMatrix[],
  { matrices }: Layout,
  options: FileOptions = {},
): Promise<string> {
  const temporary = join(folder, `.${randomBytes(8).toString('hex')}.tmp`)
  const write = <T>(action: () => Promise<T>) => explainFailure(join(folder, `${identity}.int8`), action, OTHER_CACHE)
  const file = await write(() => open(temporary, 'wx'))
  const put = ({ buffer }: { buffer: ArrayBuffer }, { offsetBytes }: Place) =>
    write(() => writeExactly(file, new Uint8Array(buffer), offsetBytes))
  try {
    try {
      let count = 0
      for await (const { matrix, made } of makeMatrices(plans, options.signal)) {
        options.onProgress?.({
          phase: 'making int8 weights',
          done: ++count,
          total: plans.length,
          unit: 'matrix',
        })
        const places = matrices.get(matrix.name)!
        await put(made.values, places.values)
        await put(made.scales, places.scales)
        if (made.residuals !== null) await put(made.residuals, places.residuals!)
      }
      await write(() => file.sync())
    } finally {
      await file.close()
    }
    const name = await nameFile(temporary, folder, identity, options)
    // by now another process may have made this file and be reading it
    const known = await findInt8File(folder, identity, options)
    if (known === null) await write(() => rename(temporary, join(folder, name)))
    return known ?? join(folder, name)
  } finally {
    await rm(temporary, { force: true })
  }
}
