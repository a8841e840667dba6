import { Command } from 'commander'

interface Flags {
  output: string
  json?: boolean
  quiet?: boolean
}

export function makeMergeCommand(): Command {
  return new Command('merge')
    .description('Merge the results of all shards of a dataset into what one run would have measured.')
    .argument('<files...>', 'the JSON file of every shard, as layerprune similarity --shard i/N wrote it')
    .option('-o, --output <folder>', 'where results are written', 'layerprune-output')
    .option('--json', 'print the result as JSON')
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText(
      'after',
      `
Writes similarity.json, layer_distances.csv, distances.svg and slice.yaml to the output folder.
Results of other models, settings or datasets are refused, and so are shards that overlap or are missing.

Examples:
  layerprune merge layerprune-output/similarity.shard-*.json
  layerprune merge one/similarity.shard-1-of-2.json two/similarity.shard-2-of-2.json -o merged --json`,
    )
    .action(runMerge)
}

async function runMerge(files: string[], flags: Flags): Promise<void> {
  const [{ mergeShards }, { readSimilarityResult }, { writeResultFiles }, { showResult }, output] =
    await Promise.all([
      import('../similarity/merge-shards.js'),
      import('../documents/read-saved.js'),
      import('./result-files.js'),
      import('./show-result.js'),
      import('../terminal/output.js'),
    ])
  output.setQuiet(flags.quiet ?? false)
  const shards = await Promise.all(
    files.map(async (file) => ({ file, result: await readSimilarityResult(file) })),
  )
  const result = mergeShards(shards)
  const written = await writeResultFiles(flags.output, result)
  await showResult(result, flags, written)
}
