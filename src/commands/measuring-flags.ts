import { type Command, Option } from 'commander'
import { DTYPES, type Dtype } from '../checkpoint/onnx-files.js'
import { DEVICES, type Device } from '../engine/device.js'
import type { Format } from '../model.js'
import { wholeNumber } from './arguments.js'

/** Flags that say which weights of which model are read. */
export interface WeightFlags {
  model: string
  revision?: string
  modelFile?: string
  format?: Format
  dtype?: Dtype
}

/** Flags that say what is run, the same in every command that runs a model. */
export interface ModelFlags extends WeightFlags {
  device: Device
  threads?: number
}

/** Flags that say on which texts it is run. */
export interface DatasetFlags {
  dataset: string[]
  datasetConfig?: string
  datasetSubset: string
  datasetRevision?: string
  datasetColumn: string
  datasetSize?: number
  shuffle?: number
  textLines?: boolean
  batchSize: number
  maxLength?: number
}

/** FORMATS of model.ts: their names alone, for the help loads no model code. */
const FORMATS: Format[] = ['onnx', 'safetensors']

export function addWeightFlags(command: Command): Command {
  return command
    .requiredOption('--model <id>', 'folder with config.json, the tokenizer and the weights, or a Hub id')
    .option('--revision <name>', 'branch, tag or commit of a Hub model')
    .option('--model-file <file>', 'graph inside the model folder, for example onnx/model_plain.onnx')
    .addOption(
      new Option('--format <name>', 'weights to read (default: safetensors where they are known)').choices(
        FORMATS,
      ),
    )
    .addOption(
      new Option('--dtype <name>', 'precision to read (default: the best one present)').choices(DTYPES),
    )
}

export function addModelFlags(command: Command): Command {
  return addWeightFlags(command)
    .addOption(new Option('--device <name>', 'where the model runs').choices(DEVICES).default('cpu'))
    .option(
      '--threads <n>',
      'threads, at most the processors (default: one for each physical core)',
      wholeNumber(1),
    )
}

export function addDatasetFlags(command: Command, { required = true } = {}): Command {
  const dataset = new Option(
    '--dataset <path...>',
    'jsonl, json, csv, tsv, txt, md, parquet (all but parquet also .gz or .zst), folders of them, or a Hub id',
  )
  return command
    .addOption(dataset.makeOptionMandatory(required))
    .option('--dataset-column <name>', 'column that holds the text', 'text')
    .option('--dataset-size <n>', 'use the first n texts (default: all)', wholeNumber(1))
    .option(
      '--shuffle <seed>',
      'read a sample spread over the files instead of the first texts',
      wholeNumber(0),
    )
    .option('--dataset-config <name>', 'configuration of a Hub dataset (default: its default one)')
    .option('--dataset-subset <name>', 'split of a Hub dataset; files on disk are the split train', 'train')
    .option('--dataset-revision <name>', 'branch, tag or commit of a Hub dataset')
    .option('--text-lines', 'plain text files hold a document a line, not one a file')
    .option('--batch-size <n>', 'texts run at once', wholeNumber(1), 8)
    .option(
      '--max-length <n>',
      'tokens read of each text (default: 1024, or what the model takes)',
      wholeNumber(1),
    )
}
