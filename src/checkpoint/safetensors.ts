import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { LayerpruneError } from '../errors.js'
import { isObject } from '../is-object.js'
import { ADAPTER_FILE, otherForm } from './other-forms.js'
import type { SafetensorsHeader, TensorLocation } from './safetensors-header.js'
import { quoteName, readSafetensorsHeader, unreadable } from './safetensors-header.js'

export type { SafetensorsDtype, TensorLocation } from './safetensors-header.js'

const WHOLE_FILE = 'model.safetensors'
/** Says which of several files holds a tensor. */
export const INDEX_FILE = 'model.safetensors.index.json'
const MAX_INDEX_BYTES = 100_000_000

/** The tensors of a model, however many files they are spread over. */
export interface SafetensorsCheckpoint {
  /** Real paths, symlinks resolved. */
  files: string[]
  tensors: Map<string, TensorLocation>
  /** The metadata of the headers; if shards differ, the later one wins. */
  metadata: Record<string, string>
}

/**
 * Name of the file by which a model's safetensors are opened: the whole file, the index of its shards, or else the
 * first of another name.
 * @param names  files at the top of the model's folder
 * @returns undefined if the model has none
 */
export function findSafetensors(names: string[]): string | undefined {
  return (
    [WHOLE_FILE, INDEX_FILE].find((name) => names.includes(name)) ??
    names.find((name) => name.endsWith('.safetensors') && !name.includes('/'))
  )
}

/** Names of the files that a folder's index spreads the tensors over. */
export async function listShards(folder: string): Promise<string[]> {
  return [...new Set((await readIndex(folder)).values())].sort()
}

/**
 * Finds a folder's safetensors weights and checks where each tensor is, reading only headers. As in
 * transformers, `model.safetensors` comes before `model.safetensors.index.json` and its shards; a folder with
 * one .safetensors file of another name has its weights there.
 *
 * @param listed  files of the model, if there are more than those in the folder
 * @throws LayerpruneError if there are none (the hint says what to do about what is there instead), or a
 *   file is malformed or truncated, or index and shards disagree
 */
export async function openSafetensors(folder: string, listed?: string[]): Promise<SafetensorsCheckpoint> {
  const names =
    listed ??
    (await readdir(folder).catch((cause) => {
      throw unreadable(folder, cause)
    }))
  if (!names.includes(WHOLE_FILE) && names.includes(INDEX_FILE)) return openShards(folder, names)
  const name = names.includes(WHOLE_FILE) ? WHOLE_FILE : findOnlyFile(folder, names)
  const { file, tensors, metadata } = await readSafetensorsHeader(join(folder, name))
  return { files: [file], tensors, metadata }
}

function findOnlyFile(folder: string, names: string[]): string {
  const found = names.filter((name) => name.endsWith('.safetensors') && !name.includes('/'))
  if (names.includes(ADAPTER_FILE)) throw otherForm(folder, names)!
  const [first, ...others] = found
  if (first === undefined) {
    throw (
      otherForm(folder, names) ??
      new LayerpruneError(`${folder} has no weights: expected ${WHOLE_FILE} or ${INDEX_FILE}`, {
        hint: 'name the folder that holds config.json and the .safetensors files',
      })
    )
  }
  const shard = found.find((name) => /-\d+-of-\d+\.safetensors$/.test(name))
  if (shard !== undefined) {
    throw new LayerpruneError(`${folder} has the shard ${quoteName(shard)} but no ${INDEX_FILE}`, {
      hint: `download ${INDEX_FILE} too`,
    })
  }
  if (others.length > 0) {
    const list = found.sort().map(quoteName).join(', ')
    throw new LayerpruneError(`${folder} has several safetensors files and no ${INDEX_FILE}: ${list}`, {
      hint: `name the model's own file ${WHOLE_FILE}, or save the model again with save_pretrained`,
    })
  }
  return first
}

async function openShards(folder: string, names: string[]): Promise<SafetensorsCheckpoint> {
  const shardOf = await readIndex(folder)
  const headers = new Map<string, SafetensorsHeader>()
  for (const shard of [...new Set(shardOf.values())].sort()) {
    if (!names.includes(shard)) {
      throw wrongIndex(folder, `the index names the shard ${quoteName(shard)}, which is not in the folder`)
    }
    headers.set(shard, await readSafetensorsHeader(join(folder, shard)))
  }
  const tensors = new Map<string, TensorLocation>()
  const metadata = new Map<string, string>()
  for (const [shard, header] of headers) {
    for (const [name, tensor] of header.tensors) {
      const indexed = shardOf.get(name)
      if (indexed !== shard) {
        const found = indexed === undefined ? 'not at all' : `for ${quoteName(indexed)}`
        throw wrongIndex(
          folder,
          `${quoteName(shard)} holds ${quoteName(name)}, which the index names ${found}`,
        )
      }
      tensors.set(name, tensor)
    }
    for (const [key, text] of Object.entries(header.metadata)) metadata.set(key, text)
  }
  for (const [name, shard] of shardOf) {
    if (!tensors.has(name)) {
      throw wrongIndex(
        folder,
        `the index has ${quoteName(name)} in ${quoteName(shard)}, which does not hold it`,
      )
    }
  }
  const files = [...headers.values()].map((header) => header.file)
  return { files, tensors, metadata: Object.fromEntries(metadata) }
}

/** @returns tensor name to the name of a file in the folder */
async function readIndex(folder: string): Promise<Map<string, string>> {
  const path = join(folder, INDEX_FILE)
  const json = await readSmallFile(path)
  let index: unknown
  try {
    index = JSON.parse(json)
  } catch (cause) {
    throw wrongIndex(folder, 'the index is not valid JSON', cause)
  }
  const weightMap = isObject(index) ? index.weight_map : undefined
  if (!isObject(weightMap)) throw wrongIndex(folder, 'expected an object weight_map in the index')
  const shardOf = new Map<string, string>()
  for (const [name, shard] of Object.entries(weightMap)) {
    if (typeof shard !== 'string' || !/^[^/\\\0]+\.safetensors$/.test(shard)) {
      const found = typeof shard === 'string' ? quoteName(shard) : typeof shard
      const what = `the index has ${quoteName(name)} in ${found}`
      throw wrongIndex(folder, `${what}, expected the name of a .safetensors file in the folder`)
    }
    shardOf.set(name, shard)
  }
  if (shardOf.size === 0) throw wrongIndex(folder, 'the index names no tensor')
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

function wrongIndex(folder: string, what: string, cause?: unknown): LayerpruneError {
  return new LayerpruneError(`${join(folder, INDEX_FILE)}: ${what}`, {
    hint: 'download index and shards again, from the same revision',
    cause,
  })
}
