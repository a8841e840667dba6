import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { LayerpruneError, UsageError } from '../../base/errors.js'
import { agree, parseRepoAddress } from '../hub/address.js'
import { isOnlyOnHub } from '../hub/only-on-hub.js'
import { findParts, isGguf } from './gguf-names.js'
import type { DownloadProgress } from './hub-model.js'
import { unreadableForm } from './other-forms.js'

export interface ModelSourceOptions {
  /** Folder with config.json, the tokenizer and the weights, a GGUF file, or the id or address of a model on the Hub. */
  model: string
  /** Folder or Hub id of the model that an adapter is merged into; what its adapter_config.json names if omitted. */
  base?: string | undefined
  /** Branch, tag or commit of a model on the Hub; its main branch if omitted. */
  revision?: string | undefined
  /** Folder or GGUF file with the tokenizer, or the id of a model on the Hub; the model's own if omitted. */
  tokenizer?: string | undefined
  /** Keys of config.json that may be ignored although it is not known what they mean. */
  ignoreConfigKey?: string[] | undefined
  signal?: AbortSignal | undefined
  onNote?: ((message: string) => void) | undefined
  /** Called with the progress of downloading the files of a model on the Hub. */
  onDownload?: ((progress: DownloadProgress) => void) | undefined
}

/** Where a model's files are, on this machine or still on the Hub. */
export interface ModelSource {
  /** As the user named it. */
  id: string
  /** Commit of the Hub; null for a folder that the user named. */
  revision: string | null
  /** Holds the files, once they are provided. */
  folder: string
  /** Files of the model, relative to the folder, parts joined by `/`; of a local folder its top and `onnx/`. */
  names: string[]
  /**
   * Makes sure that those of these files that the model has are in the folder.
   * @throws LayerpruneError if one cannot be downloaded
   */
  provide(names: string[]): Promise<void>
}

/**
 * The model and the revision that options name, from the address of a page of the Hub if that is given.
 * @throws UsageError if the address is that of another page, or names another revision than the options
 */
export function readModelName({ model, revision }: Pick<ModelSourceOptions, 'model' | 'revision'>): {
  model: string
  revision: string | undefined
  isAddress: boolean
} {
  const address = parseRepoAddress(model, 'model')
  if (address === undefined) return { model, revision, isAddress: false }
  return { model: address.id, revision: agree('--revision', address.revision, revision), isAddress: true }
}

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
      `--revision ${revision}: ${model} is a local ${info.isDirectory() ? 'folder' : 'file'}, which has no revisions`,
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
        hint: 'name the folder with --model and a graph inside it with --model-file',
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
