import { type Command, Option } from 'commander'
import type { ModelOptions } from '../../engine/model.js'
import { DEVICES } from '../../engine/sessions/device.js'
import { DTYPES, FORMATS } from '../../files/checkpoint/onnx-files.js'
import type { INSPECT_LIST, RUN_LIST } from '../../jobs/library/option-lists.js'
import type { RunOptions } from '../../jobs/run/run-options.js'
import { wholeNumber } from './arguments.js'

export type WeightFlags = Pick<ModelOptions, (typeof INSPECT_LIST)['flags'][number]>
export type RunFlags = Pick<RunOptions, (typeof RUN_LIST)['flags'][number]>

/** Names of the formats, written out because the help loads no model code. */
export function addWeightFlags(command: Command): Command {
  return command
    .requiredOption(
      '--model <id>',
      'folder with config.json, the tokenizer and the weights, a GGUF file, a LoRA adapter, or a Hub id or address',
    )
    .option('--revision <name>', 'branch, tag or commit of a Hub model')
    .option('--base <id>', 'folder or Hub id of the base of an adapter (default: as adapter_config.json says)')
    .option('--model-file <file>', 'graph or GGUF file inside the model folder, for example onnx/model_plain.onnx')
    .addOption(
      new Option(
        '--format <name>',
        'weights to read (default: safetensors, or pytorch, if their family is known)',
      ).choices(FORMATS),
    )
    .addOption(new Option('--dtype <name>', 'precision to read (default: the best one present)').choices(DTYPES))
    .addOption(ignoreConfigKeyOption())
}

/** Help for --dataset-column; commander adds the default. */
export const COLUMN_HELP = 'column that holds the text or chat; a,b joins two, as prompt,completion'

/** For commands that write results. */
export function replaceOption(): Option {
  return new Option('--force', 'replace a result of other settings, which is refused otherwise')
}

/** Repeatable, one key each. */
export function ignoreConfigKeyOption(): Option {
  return new Option(
    '--ignore-config-key <name>',
    'read the model although this key of config.json is not understood (repeatable)',
  ).argParser((name: string, names: string[] | undefined) => [...(names ?? []), name])
}

/** @param textsRead the default of --dataset-size, for the help */
export function addRunFlags(command: Command, { requireTexts = true, textsRead = 'all' } = {}): Command {
  return addDatasetFlags(addModelFlags(command), requireTexts, textsRead)
}

function addModelFlags(command: Command): Command {
  return addWeightFlags(command)
    .option('--tokenizer <id>', "folder, GGUF file or Hub id with the tokenizer (default: the model's own)")
    .addOption(new Option('--device <name>', 'where the model runs').choices(DEVICES).default('cpu'))
    .option(
      '--threads <n>',
      'threads, at most the number of processors (default: one per physical core)',
      wholeNumber(1),
    )
}

function addDatasetFlags(command: Command, required: boolean, textsRead: string): Command {
  const dataset = new Option(
    '--dataset <path...>',
    'jsonl, json, csv, tsv, txt, md, parquet (all but parquet also .gz or .zst), folders of them, https addresses of such files, - for standard input, or a Hub id; a.jsonl:0.7 org/b:0.3 mixes texts in these shares',
  )
  command
    .addOption(dataset.makeOptionMandatory(required))
    .option('--dataset-column <name>', COLUMN_HELP, 'text')
    .option('--dataset-size <n>', `use the first n texts (default: ${textsRead})`, wholeNumber(1))
  return addReadingFlags(command)
    .option('--batch-size <n>', 'texts run at once (default: 8)', wholeNumber(1))
    .option(
      '--max-length <n>',
      "tokens read of each text, at most the model's positions (default: 1024)",
      wholeNumber(1),
    )
}

/** Help of --dataset-skip. */
export const SKIP_HELP = 'skip the first n texts; --dataset-size counts from there (default: 0)'

export function addReadingFlags(command: Command): Command {
  return command
    .option('--dataset-skip <n>', SKIP_HELP, wholeNumber(0))
    .option('--shuffle <seed>', 'read a random sample spread over the files instead of the first texts', wholeNumber(0))
    .option('--dataset-config <name>', 'configuration of a Hub dataset (default: its default one)')
    .option(
      '--dataset-split <name>',
      'split of a Hub dataset, also --dataset-subset; files on disk are the split train',
      'train',
    )
    .option('--dataset-revision <name>', 'branch, tag or commit of a Hub dataset')
    .option('--text-lines', 'plain text files hold one document per line, not one per file')
}
