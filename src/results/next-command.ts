import { basename, resolve } from 'node:path'
import { nameFlag } from '../base/name-option.js'
import { quoteForShell } from '../base/quote-for-shell.js'
import type { RunRecord } from './documents/run-record.js'

const WEIGHTS = {
  ...{ base: undefined, modelFile: undefined, format: undefined, dtype: undefined },
  ...{ ignoreConfigKey: undefined },
}
/** Which texts of a dataset are read, and how. */
export const READING = {
  ...{ dataset: undefined, datasetColumn: 'text', datasetConfig: undefined, datasetSplit: 'train' },
  ...{ datasetRevision: undefined, datasetSkip: 0, shuffle: undefined, textLines: false },
}
const RUNNING = { tokenizer: undefined, device: 'cpu', threads: undefined, batchSize: 8, maxMemory: undefined }

/**
 * The options that each command takes over from the run before it, with its default; undefined if it has none, or
 * decides by the model. `model` and `revision` come first in every command.
 */
export const TAKEN_OVER = {
  sweep: { ...WEIGHTS, ...READING, datasetSize: 32, maxLength: 1024, ...RUNNING },
  evaluate: { ...WEIGHTS, ...READING, datasetSize: undefined, maxLength: 1024, ...RUNNING },
  prune: {
    ...{ modelFile: undefined, format: undefined, dtype: undefined, ignoreConfigKey: undefined },
    ...{ ...READING, datasetSize: 128, maxLength: 256 },
    ...{ tokenizer: undefined, threads: undefined, batchSize: 8, maxMemory: undefined },
  },
  heal: READING,
} as const

type NextCommand = keyof typeof TAKEN_OVER
type TakenOver = { [Command in NextCommand]: keyof (typeof TAKEN_OVER)[Command] }[NextCommand]

/** Options of a run by their names in the library, with the values that its functions take. */
export type CarriedOptions = { readonly [Name in TakenOver | 'model' | 'revision']?: unknown }

/** Options of `prune` that say how a repair is fitted. */
const OF_REPAIR: string[] = ['datasetSize', 'maxLength', 'tokenizer', 'batchSize', 'maxMemory'] satisfies TakenOver[]

/** What `prune` is given of a run: the weights alone, texts to show samples of too, or all that a repair is fitted with. */
type PruneUse = 'cut' | 'samples' | 'repair'

export interface CommandWords {
  options: CarriedOptions
  /** What the command alone has, such as the cut. */
  own?: string[]
  /** Words at the end. */
  last?: string[]
}

/** A layerprune command with the options of the run before it that are not its own defaults, quoted for a POSIX shell. */
export function formatCommand(command: NextCommand, { options, own = [], last = [] }: CommandWords): string {
  const words = Object.entries(TAKEN_OVER[command]).flatMap(([name, usual]) =>
    options[name as TakenOver] === usual ? [] : formatOption(name, options[name as TakenOver]),
  )
  const named = [...formatOption('model', options.model), ...formatOption('revision', options.revision)]
  return ['layerprune', command, ...named, ...own, ...words, ...last].map(quoteForShell).join(' ')
}

/** Stands for what the user has yet to make or choose. */
const MERGED_MODEL = 'YOUR_MERGED_MODEL'
export const OWN_TEXTS = 'YOUR_TEXTS'

export interface NamedCut {
  /** Of the run that found the cut. */
  options: CarriedOptions
  /** The flag that names the layers, with its value, and flags beside it. */
  cut: string[]
  use?: PruneUse
  /** The file of weights that the run read, if it is known. */
  file?: string | undefined
  isAdapter?: boolean | undefined
}

/** The command that makes a cut. Of an adapter the user names the model that it is merged into, which alone can be cut. */
export function formatPruneCommand({ options, cut, use = 'cut', file, isAdapter = false }: NamedCut): string {
  const dropped = [
    ...(readsGraph(options, file) ? [] : ['dtype']),
    ...(isAdapter ? ['revision', ...Object.keys(WEIGHTS)] : []),
    ...(use === 'repair' ? [] : OF_REPAIR),
    ...(use === 'cut' ? Object.keys(READING) : []),
  ]
  const kept = Object.fromEntries(Object.entries(options).filter(([name]) => !dropped.includes(name)))
  const last = ['-o', `${basename(resolve(String(options.model)), '.gguf')}-pruned`]
  const model = isAdapter ? MERGED_MODEL : options.model
  return formatCommand('prune', { options: { ...kept, model }, own: cut, last })
}

/** Precisions that tensors are computed in, whatever they are stored as. */
const COMPUTED = ['fp32', 'bf16', 'fp16', 'q8']

/** Whether `dtype` chose a graph: of tensors, which are cut as they are stored, it says how they are computed. */
function readsGraph({ format, dtype }: CarriedOptions, file: string | undefined): boolean {
  return file?.endsWith('.onnx') ?? (format === 'onnx' || !COMPUTED.includes(String(dtype)))
}

interface MadeDocument {
  model: { id: string; askedRevision?: string | null }
  dataset?: { id: string; shares?: { id: string; share: number }[] }
  run?: RunRecord | undefined
}

/** The options of the run that made a document, as far as it records them. */
export function optionsOf({ model, dataset, run }: MadeDocument): CarriedOptions {
  const { id, askedRevision } = model
  return {
    ...(dataset && { dataset: dataset.shares?.map((part) => `${part.id}:${part.share}`) ?? [dataset.id] }),
    ...run?.options,
    model: id,
    ...(askedRevision && { revision: askedRevision }),
  }
}

/** The flag of an option with its value, as the command line reads them back; nothing if it is not set. */
function formatOption(name: string, value: unknown): string[] {
  const flag = nameFlag(name)
  if (value === undefined || value === null || value === false) return []
  if (value === true) return [flag]
  if (name === 'maxMemory') return [flag, formatMemory(Number(value))]
  if (name === 'dataset') return [flag, ...[value].flat().map(String)]
  return [value].flat().flatMap((part) => [flag, String(part)])
}

const UNITS = { GB: 1e9, GiB: 2 ** 30, MB: 1e6, MiB: 2 ** 20 }

/** The shortest way to write so many bytes. */
function formatMemory(bytes: number): string {
  const exact = Object.entries(UNITS).filter(([, size]) => Math.floor((bytes / size) * size) === bytes)
  const forms = exact.map(([unit, size]) => `${bytes / size}${unit}`)
  return forms.reduce((shortest, form) => (form.length < shortest.length ? form : shortest))
}

/** The command that publishes a folder on the Hub under a name, once the user's own is filled in. */
export function formatUpload(name: string, folder: string): string {
  return ['hf', 'upload', `YOUR_NAME/${name}`, folder].map(quoteForShell).join(' ')
}
