import { join } from 'node:path'
import { LayerpruneError } from '../../../base/errors.js'
import type { SafetensorsCheckpoint } from '../safetensors-checkpoint.js'
import { quoteName, type TensorLocation } from '../safetensors-header.js'
import { openShards, type ShardedForm } from '../shards.js'
import { readPytorchFile } from './pytorch-file.js'

const WHOLE_FILE = 'pytorch_model.bin'
const INDEX_FILE = `${WHOLE_FILE}.index.json`
const SHARDED: ShardedForm = { indexFile: INDEX_FILE, extension: '.bin', readHeader: readPytorchFile }
const WEIGHTS = /^[^/]+\.(bin|pt|pth|ckpt)$/
const HEAD = /(^|\.)(lm_head|embed_out|output)\.weight$/
/** What training leaves beside a model, and adapters. */
const NO_MODEL = /^(training_args|optimizer|scheduler|scaler|rng_state|adapter_)/

/**
 * The file by which a model's PyTorch weights are opened: the whole file, the index, or else the first of another name.
 * @param names files at the top of the model's folder
 * @returns undefined if the model has none
 */
export function findPytorch(names: string[]): string | undefined {
  return [WHOLE_FILE, INDEX_FILE].find((name) => names.includes(name)) ?? listOthers(names)[0]
}

/**
 * Finds a model's tensors in files that torch.save wrote: `pytorch_model.bin`, its shards by the index, or one file of
 * another name. Pickles are read as data and never run.
 * @param names files of the model
 * @param tiesHead whether the config says that the head is the embedding table: a head that is a second view of the
 *   same bytes is then omitted, as transformers omits it in safetensors
 * @throws LayerpruneError if there are several models, or a file is malformed, truncated or holds anything but tensors
 */
export async function openPytorch(folder: string, names: string[], tiesHead: boolean): Promise<SafetensorsCheckpoint> {
  const checkpoint = await openFiles(folder, names)
  return tiesHead ? { ...checkpoint, tensors: withoutTiedHead(checkpoint.tensors) } : checkpoint
}

async function openFiles(folder: string, names: string[]): Promise<SafetensorsCheckpoint> {
  if (!names.includes(WHOLE_FILE) && names.includes(INDEX_FILE)) return openShards(folder, names, SHARDED)
  const name = names.includes(WHOLE_FILE) ? WHOLE_FILE : findOnlyFile(folder, names)
  const { file, tensors, metadata } = await readPytorchFile(join(folder, name))
  return { files: [file], tensors, metadata }
}

function withoutTiedHead(tensors: Map<string, TensorLocation>): Map<string, TensorLocation> {
  const placeOf = ({ file, offsetBytes, sizeBytes }: TensorLocation) => `${file}\n${offsetBytes} ${sizeBytes}`
  const heads = [...tensors.values()].filter(({ name }) => HEAD.test(name))
  const others = [...tensors.values()].filter(({ name }) => !HEAD.test(name))
  const places = new Set(others.map(placeOf))
  const tied = new Set(heads.filter((head) => places.has(placeOf(head))).map(({ name }) => name))
  return new Map([...tensors].filter(([name]) => !tied.has(name)))
}

function findOnlyFile(folder: string, names: string[]): string {
  const [first, ...others] = listOthers(names)
  if (first === undefined) {
    throw new LayerpruneError(`${folder} has no PyTorch weights: expected ${WHOLE_FILE} or ${INDEX_FILE}`, {
      hint: 'omit `format` to read what the model has',
    })
  }
  if (others.length > 0) {
    const list = [first, ...others].map(quoteName).join(', ')
    throw new LayerpruneError(`${folder} has several PyTorch files and no ${INDEX_FILE}: ${list}`, {
      hint: `name the model's own file ${WHOLE_FILE}, or save the model again with save_pretrained`,
    })
  }
  return first
}

function listOthers(names: string[]): string[] {
  return names.filter((name) => WEIGHTS.test(name) && !NO_MODEL.test(name)).sort()
}
