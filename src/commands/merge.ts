import { Command } from 'commander'

export interface MergeFlags {
  output: string
  json?: boolean
  quiet?: boolean
}

export function makeMergeCommand(): Command {
  return new Command('merge')
    .description('Merge the results of all shards of a dataset into what one run would have measured.')
    .argument('<files...>', 'the JSON file of each shard, as written by layerprune similarity --shard i/N')
    .option('-o, --output <folder>', 'folder to write results to', 'layerprune-output')
    .option('--json', 'print the result as JSON')
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText(
      'after',
      `
Writes similarity.json, layer_distances.csv, distances.svg and slice.yaml to the output folder.
Shards of different models, settings or datasets are refused, and so are overlapping or missing shards.

Examples:
  layerprune merge layerprune-output/similarity.shard-*.json
  layerprune merge one/similarity.shard-1-of-2.json two/similarity.shard-2-of-2.json -o merged --json`,
    )
    .action(async (files: string[], flags: MergeFlags) => (await import('./run/merge.js')).run(files, flags))
}
