import type { DatasetShare } from './shares.js'

/** Which texts of a dataset are read, and how. */
export interface SelectionOptions {
  /**
   * Column that holds the text, 'text' if omitted; plain text files have none. Several between commas, as
   * `prompt,completion`, are joined by line ends. A column of chats is written by the model's chat template.
   */
  datasetColumn?: string | undefined
  /** Configuration of a dataset on the Hub; its default one if omitted. */
  datasetConfig?: string | undefined
  /** Split of a dataset on the Hub; 'train' if omitted. Files on disk are the split train. */
  datasetSplit?: string | undefined
  /** Branch, tag or commit of a dataset on the Hub. */
  datasetRevision?: string | undefined
  /** At most this many texts, counted after empty rows and rows without text are skipped; all if omitted. */
  datasetSize?: number | undefined
  /** Texts to skip at the start; `datasetSize` counts from there. */
  datasetSkip?: number | undefined
  /** Seed of a sample spread over the dataset's files; its texts in their own order if omitted. */
  shuffle?: number | undefined
  /** Plain text files hold one document per line, not one per file; always so on the Hub. */
  textLines?: boolean | undefined
  signal?: AbortSignal | undefined
  /** Called with waits for the network, and if a mix ends because one of its parts does. */
  onNote?: ((message: string) => void) | undefined
}

export interface DatasetOptions extends SelectionOptions {
  /**
   * Files, folders and https addresses of files; a folder is read in name order, recursively, only its files of a known
   * kind. Or the id of one dataset on the Hub, or the address of its page, if nothing of that name exists on this machine.
   * `-` is standard input, and pipes are read like it: once, what was read is kept in a temporary file. All but these may
   * have a share of the texts, as `a.jsonl:0.7`: each is read in its own order, and every start of the mix has the shares.
   */
  dataset: string | string[]
}

/** Which dataset is read; configuration, split and revision are null for files on disk. */
export interface DatasetName {
  /** As the user named it. */
  id: string
  config: string | null
  split: string | null
  /** Commit of the Hub. */
  revision: string | null
  /** Shares of the mixed files, folders and datasets; omitted if files are read one after another. */
  shares?: DatasetShare[]
}
