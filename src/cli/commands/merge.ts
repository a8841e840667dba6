import { Command } from 'commander'
import { leastAccuracy, memorySize, ratioAboveOne } from './arguments.js'
import { replaceOption } from './measuring-flags.js'
import type { MergeFlags } from './run/merge.js'

export function makeMergeCommand(): Command {
  return new Command('merge')
    .description(
      'Merge all shards of a similarity result, an evaluation or a sweep into what one run would have measured.',
    )
    .argument('<files...>', 'the JSON file of each shard, as written by similarity, evaluate or sweep with --shard i/N')
    .option('-o, --output <folder>', 'folder to write results to', 'layerprune-output')
    .option('--max-perplexity-ratio <x>', 'of a sweep: as in layerprune sweep', ratioAboveOne)
    .option('--max-size <size>', 'of a sweep: as in layerprune sweep', memorySize)
    .option('--min-task <name=accuracy>', 'of a sweep: as in layerprune sweep (repeatable)', leastAccuracy)
    .addOption(replaceOption())
    .option('--json', 'print the result as JSON')
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText(
      'after',
      `
Writes what similarity or sweep writes: similarity.json, layer_distances.csv, distances.svg and slice.yaml, or sweep.json,
sweep.csv, sweep.svg and, if a cut is within the limits, plan.json; of an evaluation, evaluation.json.
Shards of different models, settings or datasets are refused, and so are overlapping or missing shards.

Examples:
  layerprune merge layerprune-output/similarity.shard-*.json
  layerprune merge one/similarity.shard-1-of-2.json two/similarity.shard-2-of-2.json -o merged --json
  layerprune merge evaluation.shard-*.json -o merged
  layerprune merge layerprune-output/sweep.shard-*.json --max-perplexity-ratio 1.25`,
    )
    .action(async (files: string[], flags: MergeFlags) => (await import('./run/merge.js')).run(files, flags))
}
