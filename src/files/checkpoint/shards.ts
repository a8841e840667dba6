import { readFile, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'
import { unreadable } from './model-file.js'
import type { SafetensorsCheckpoint } from './safetensors-checkpoint.js'
import { quoteName, type SafetensorsHeader, type TensorLocation } from './safetensors-header.js'

const MAX_INDEX_BYTES = 100_000_000

/** A form of weights that may be spread over several files. */
export interface ShardedForm {
  /** Says which of the files holds a tensor. */
  indexFile: string
  /** Extension of the files, with the dot. */
  extension: string
  readHeader: (path: string) => Promise<SafetensorsHeader>
}

/** Whether a file is an index of shards, by its name. */
export function isShardIndex(file: string): boolean {
  return file.endsWith('.index.json')
}

/** Names of the files that a folder's index spreads the tensors over. */
export async function listShards(folder: string, indexFile: string): Promise<string[]> {
  const shardOf = await readIndex(join(folder, indexFile), extname(basename(indexFile, '.index.json')))
  return [...new Set(shardOf.values())].sort()
}

/**
 * Opens the shards that an index names and holds them against it.
 * @param names files of the model
 * @throws LayerpruneError if index and shards disagree, or one of them is missing or damaged
 */
export async function openShards(
  folder: string,
  names: string[],
  { indexFile, extension, readHeader }: ShardedForm,
): Promise<SafetensorsCheckpoint> {
  const path = join(folder, indexFile)
  const shardOf = await readIndex(path, extension)
  const headers = new Map<string, SafetensorsHeader>()
  for (const shard of [...new Set(shardOf.values())].sort()) {
    if (!names.includes(shard)) {
      throw wrongIndex(path, `the index names the shard ${quoteName(shard)}, which is not in the folder`)
    }
    headers.set(shard, await readHeader(join(folder, shard)))
  }
  const tensors = new Map<string, TensorLocation>()
  const metadata = new Map<string, string>()
  for (const [shard, header] of headers) {
    for (const [name, tensor] of header.tensors) {
      const indexed = shardOf.get(name)
      if (indexed !== shard) {
        const found = indexed === undefined ? 'not at all' : `for ${quoteName(indexed)}`
        throw wrongIndex(path, `${quoteName(shard)} holds ${quoteName(name)}, which the index names ${found}`)
      }
      tensors.set(name, tensor)
    }
    for (const [key, text] of Object.entries(header.metadata)) metadata.set(key, text)
  }
  for (const [name, shard] of shardOf) {
    if (!tensors.has(name)) {
      throw wrongIndex(path, `the index has ${quoteName(name)} in ${quoteName(shard)}, which does not hold it`)
    }
  }
  const files = [...headers.values()].map((header) => header.file)
  return { files, tensors, metadata: Object.fromEntries(metadata), index: path }
}

/** @returns tensor name to the name of a file in the folder */
async function readIndex(path: string, extension: string): Promise<Map<string, string>> {
  const json = await readSmallFile(path)
  let index: unknown
  try {
    index = JSON.parse(json)
  } catch (cause) {
    throw wrongIndex(path, 'the index is not valid JSON', cause)
  }
  const weightMap = isObject(index) ? index.weight_map : undefined
  if (!isObject(weightMap)) throw wrongIndex(path, 'expected an object weight_map in the index')
  const shardOf = new Map<string, string>()
  for (const [name, shard] of Object.entries(weightMap)) {
    if (typeof shard !== 'string' || !isFileName(shard, extension)) {
      const found = typeof shard === 'string' ? quoteName(shard) : typeof shard
      const what = `the index has ${quoteName(name)} in ${found}`
      throw wrongIndex(path, `${what}, expected the name of a ${extension} file in the folder`)
    }
    shardOf.set(name, shard)
  }
  if (shardOf.size === 0) throw wrongIndex(path, 'the index names no tensor')
  return shardOf
}

async function readSmallFile(path: string): Promise<string> {
  try {
    const stats = await stat(path)
    if (stats.isFile() && stats.size <= MAX_INDEX_BYTES) return await readFile(path, 'utf8')
  } catch (cause) {
    throw unreadable(path, cause as Error)
  }
  throw new LayerpruneError(`cannot read ${path}: expected a file of at most ${MAX_INDEX_BYTES} bytes`)
}

function isFileName(text: string, extension: string): boolean {
  return /^[^/\\\0]+$/.test(text) && text.length > extension.length && text.endsWith(extension)
}

function wrongIndex(path: string, what: string, cause?: unknown): LayerpruneError {
  return new LayerpruneError(`${path}: ${what}`, {
    hint: 'download index and shards again, from the same revision',
    cause,
  })
}
