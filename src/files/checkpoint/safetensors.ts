import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { unreadable } from './model-file.js'
import { otherForm } from './other-forms.js'
import type { SafetensorsCheckpoint } from './safetensors-checkpoint.js'
import { quoteName, readSafetensorsHeader } from './safetensors-header.js'
import { openShards, type ShardedForm } from './shards.js'
import { withoutWrapperNames } from './wrapper-names.js'

export type { SafetensorsCheckpoint } from './safetensors-checkpoint.js'
export type { SafetensorsDtype } from './safetensors-dtype.js'
export type { TensorLocation } from './safetensors-header.js'

const WHOLE_FILE = 'model.safetensors'
/** Says which of several files holds a tensor. */
const INDEX_FILE = 'model.safetensors.index.json'
const SHARDED: ShardedForm = {
  indexFile: INDEX_FILE,
  extension: '.safetensors',
  readHeader: readSafetensorsHeader,
}

/**
 * The file by which a model's safetensors are opened: the whole file, the index, or else the first of another name.
 * @param names  files at the top of the model's folder
 * @returns undefined if the model has none
 */
export function findSafetensors(names: string[]): string | undefined {
  return (
    [WHOLE_FILE, INDEX_FILE].find((name) => names.includes(name)) ??
    names.find((name) => name.endsWith('.safetensors') && !name.includes('/'))
  )
}

/**
 * Finds a folder's safetensors weights and checks where each tensor is, reading only headers. As in
 * transformers, `model.safetensors` comes before `model.safetensors.index.json` and its shards; a folder with
 * one .safetensors file of another name has its weights there. Tensors of a wrapped model have their own names.
 *
 * @param listed  files of the model, if there are more than those in the folder
 * @throws LayerpruneError if there are none (the hint says what to do about what is there instead), or a
 *   file is malformed or truncated, or index and shards disagree
 */
export async function openSafetensors(folder: string, listed?: string[]): Promise<SafetensorsCheckpoint> {
  const checkpoint = await openFiles(folder, listed)
  const own = [...withoutWrapperNames(checkpoint.tensors)]
  return { ...checkpoint, tensors: new Map(own.map(([name, tensor]) => [name, { ...tensor, name }])) }
}

async function openFiles(folder: string, listed?: string[]): Promise<SafetensorsCheckpoint> {
  const names =
    listed ??
    (await readdir(folder).catch((cause) => {
      throw unreadable(folder, cause)
    }))
  if (!names.includes(WHOLE_FILE) && names.includes(INDEX_FILE)) return openShards(folder, names, SHARDED)
  const name = names.includes(WHOLE_FILE) ? WHOLE_FILE : findOnlyFile(folder, names)
  const { file, tensors, metadata } = await readSafetensorsHeader(join(folder, name))
  return { files: [file], tensors, metadata }
}

function findOnlyFile(folder: string, names: string[]): string {
  const found = names.filter((name) => name.endsWith('.safetensors') && !name.includes('/'))
  const [first, ...others] = found
  if (first === undefined) {
    throw (
      otherForm(folder, names) ??
      new LayerpruneError(`${folder} has no safetensors weights: expected ${WHOLE_FILE} or ${INDEX_FILE}`, {
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
