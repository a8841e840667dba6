import type { Command } from 'commander'
import type { REPAIR_LIST } from '../../jobs/library/option-lists.js'
import type { RepairModelOptions } from '../../jobs/repair/repair-model.js'
import { memorySize, wholeNumber } from './arguments.js'
import { COLUMN_HELP, SKIP_HELP } from './measuring-flags.js'

/** Flags that require --repair or --heal. Texts alone may be given for samples. */
export const MEASURING_ONLY = ['maxLength', 'evaluateOn', 'evaluateSize'] as const

export interface RepairFlags extends Partial<Pick<RepairModelOptions, (typeof REPAIR_LIST)['flags'][number]>> {
  repair?: boolean
  verbose?: boolean
}

export function addRepairFlags(command: Command): Command {
  return command
    .option(
      '--repair',
      'refit weights of the layers around each cut by least squares, without training, so that the model loses less accuracy',
    )
    .option(
      '--dataset <path...>',
      'texts to show samples of, with --repair to fit it on and with --heal to train on: files, folders, - for standard input, or a Hub id',
    )
    .option('--dataset-column <name>', `${COLUMN_HELP} (default: text)`)
    .option('--dataset-config <name>', 'configuration of a Hub dataset (default: its default one)')
    .option('--dataset-split <name>', 'split of a Hub dataset, also --dataset-subset (default: train)')
    .option('--dataset-revision <name>', 'branch, tag or commit of a Hub dataset')
    .option('--text-lines', 'plain text files hold one document per line, not one per file')
    .option('--dataset-size <n>', 'texts to fit the repair on (default: 128)', wholeNumber(1))
    .option('--dataset-skip <n>', SKIP_HELP, wholeNumber(0))
    .option('--shuffle <seed>', 'read a random sample spread over the files instead of the first texts', wholeNumber(0))
    .option('--batch-size <n>', 'with --repair: texts run at once (default: 8)', wholeNumber(1))
    .option('--max-length <n>', 'tokens read of each text (default: 256)', wholeNumber(2))
    .option(
      '--evaluate-on <path...>',
      'texts to measure on (default: those of --dataset that follow, or with --heal its first ones)',
    )
    .option('--evaluate-size <n>', 'how many texts to measure on (default: 64)', wholeNumber(1))
    .option('--tokenizer <id>', "folder, GGUF file or Hub id with the tokenizer (default: the model's own)")
    .option(
      '--max-memory <size>',
      'repair layer by layer within this memory, for example 8GB; states without room are kept on disk',
      memorySize,
    )
    .option('--verbose', 'report how long each part of a repair took, and its memory')
    .option(
      '--threads <n>',
      'threads of all work, at most the number of processors (default: one per physical core)',
      wholeNumber(1),
    )
}
