import { agree, parseRepoAddress } from '../hub/address.js'

export interface DownloadProgress {
  /** The file that is downloaded now. */
  file: string
  /** Bytes of all files so far. */
  doneBytes: number
  /** Bytes of all files that are known to be needed. */
  totalBytes: number
}

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
  /** Makes sure that those of these files that the model has are in the folder; throws if a download fails. */
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
  return { model: address.id, revision: agree('`revision`', address.revision, revision), isAddress: true }
}
