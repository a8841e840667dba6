import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { LayerpruneError, UsageError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import { isOnlyOnHub } from '../hub/only-on-hub.js'
import { findParts, isGguf } from './gguf-names.js'
import { type ModelSource, type ModelSourceOptions, readModelName } from './model-source.js'
import { unreadableForm } from './other-forms.js'

/**
 * Finds a model: the folder or GGUF file of that name, or else the Hub's model of that id.
 * @throws UsageError if a revision is asked for but the model is a folder
 * @throws LayerpruneError if neither exists
 */
export async function openModelSource(options: ModelSourceOptions): Promise<ModelSource> {
  const { model, revision, isAddress } = readModelName(options)
  if (isAddress || (await isOnlyOnHub(model))) {
    const { openModelRepo } = await import('./hub-model.js')
    return openModelRepo({ ...options, model, revision })
  }
  const folder = resolve(model)
  const info = await stat(folder).catch((cause: NodeJS.ErrnoException) => cause)
  if (info instanceof Error) {
    const reason = info.code === 'ENOENT' ? 'does not exist' : `cannot be read: ${info.message}`
    throw new LayerpruneError(`model folder ${model} ${reason}`, {
      hint: 'give a folder with config.json, tokenizer.json and the weights, or the id of a model on the Hub',
      cause: info,
    })
  }
  if (revision !== undefined) {
    throw new UsageError(
      `${nameOption('revision', revision)}: ${model} is a local ${info.isDirectory() ? 'folder' : 'file'}, which has no revisions`,
    )
  }
  const provide = async () => {}
  if (!info.isDirectory()) {
    if (isGguf(folder)) {
      return {
        id: model,
        revision: null,
        folder: dirname(folder),
        names: findParts(basename(folder)),
        provide,
      }
    }
    throw (
      unreadableForm(model) ??
      new LayerpruneError(`${model} is a file, expected the model's folder`, {
        hint: 'name the folder with `model` and a graph inside it with `modelFile`',
      })
    )
  }
  return { id: model, revision: null, folder, names: await listModelFolder(folder), provide }
}

async function listModelFolder(folder: string): Promise<string[]> {
  const top = await readNames(folder)
  const graphs = top.includes('onnx') ? await readNames(resolve(folder, 'onnx')) : []
  return [...top, ...graphs.map((name) => `onnx/${name}`)].sort()
}

async function readNames(folder: string): Promise<string[]> {
  return readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOTDIR') return []
    throw new LayerpruneError(`${folder} cannot be read: ${cause.message}`, { cause })
  })
}
