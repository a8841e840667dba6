import type { Command } from 'commander'
import { UsageError } from '../errors.js'
import type { RepairModelOptions } from '../repair/repair-model.js'
import { wholeNumber } from './arguments.js'

/** Flags of `prune` that repair the model. */
export interface RepairFlags {
  repair?: boolean
  dataset?: string[]
  datasetColumn?: string
  datasetConfig?: string
  datasetSubset?: string
  datasetSize?: number
  shuffle?: number
  maxLength?: number
  evaluateOn?: string[]
  evaluateSize?: number
  threads?: number
}

/** By their names on the command line, those that only `--repair` reads. */
const OWN: Partial<Record<keyof RepairFlags, string>> = {
  dataset: '--dataset',
  datasetColumn: '--dataset-column',
  datasetConfig: '--dataset-config',
  datasetSubset: '--dataset-subset',
  datasetSize: '--dataset-size',
  shuffle: '--shuffle',
  maxLength: '--max-length',
  evaluateOn: '--evaluate-on',
  evaluateSize: '--evaluate-size',
  threads: '--threads',
}

export function addRepairFlags(command: Command): Command {
  return command
    .option(
      '--repair',
      'fit weights of the layers beside each cut, by least squares without training, so that the model suffers less',
    )
    .option('--dataset <path...>', 'with --repair: calibration texts, files, folders or a Hub id')
    .option('--dataset-column <name>', 'column that holds the text (default: text)')
    .option('--dataset-config <name>', 'configuration of a Hub dataset (default: its default one)')
    .option('--dataset-subset <name>', 'split of a Hub dataset (default: train)')
    .option('--dataset-size <n>', 'texts to fit on (default: 128)', wholeNumber(1))
    .option('--shuffle <seed>', 'take a sample spread over the data, not its first texts', wholeNumber(0))
    .option('--max-length <n>', 'tokens read of each text (default: 256)', wholeNumber(2))
    .option('--evaluate-on <path...>', 'texts to measure on (default: those that follow in --dataset)')
    .option('--evaluate-size <n>', 'texts to measure on (default: 64)', wholeNumber(1))
    .option(
      '--threads <n>',
      'threads of the repair, at most the processors (default: one for each physical core)',
      wholeNumber(1),
    )
}

/**
 * What the flags say of the repair; undefined where none is asked for.
 * @throws UsageError where they contradict each other
 */
export function readRepairFlags(
  flags: RepairFlags & { dryRun?: boolean },
): Omit<RepairModelOptions, 'model' | 'removed'> | undefined {
  if (!flags.repair) {
    const given = Object.entries(OWN).find(([key]) => flags[key as keyof RepairFlags] !== undefined)
    if (given !== undefined) throw new UsageError(`${given[1]} goes with --repair`)
    return undefined
  }
  if (flags.dryRun)
    throw new UsageError('--repair and --dry-run do not go together: a repair is a measurement')
  const { dataset, datasetColumn: column } = flags
  if (dataset === undefined) throw new UsageError('--repair needs texts to fit on: give --dataset')
  const { datasetConfig, datasetSubset, datasetSize, shuffle, maxLength, evaluateOn, evaluateSize, threads } =
    flags
  return {
    dataset,
    column,
    datasetConfig,
    datasetSubset,
    datasetSize,
    shuffle,
    maxLength,
    evaluateOn,
    evaluateSize,
    threads,
  }
}
