import { Command } from 'commander'
import { wholeNumber } from './arguments.js'

interface Flags {
  model: string
  dataset: string[]
  datasetConfig?: string
  datasetSubset: string
  datasetColumn: string
  maxLength?: number
  output: string
  json?: boolean
}

export function makeRecipeCommand(): Command {
  return new Command('recipe')
    .description(
      'Write what to run next on a GPU to heal a pruned model: an axolotl config and a PEFT script.',
    )
    .requiredOption('--model <folder>', 'folder of the pruned model, in safetensors')
    .requiredOption(
      '--dataset <path...>',
      'jsonl, json, csv, txt or parquet files, folders of them, or a Hub id',
    )
    .option('--dataset-config <name>', 'configuration of a Hub dataset')
    .option('--dataset-subset <name>', 'split of a Hub dataset', 'train')
    .option('--dataset-column <name>', 'column that holds the text', 'text')
    .option(
      '--max-length <n>',
      'tokens a sequence (default: 2048, or 4096 for models of over 10 billion parameters)',
      wholeNumber(1),
    )
    .option('-o, --output <folder>', 'where axolotl.yaml and heal.py are written', 'layerprune-recipe')
    .option('--json', 'print the settings as JSON')
    .addHelpText(
      'after',
      `
The settings are those of the paper (arXiv 2403.17887): QLoRA on the MLPs, 5000 steps of 16 sequences, cosine
schedule, 100 steps of warm-up, rank and learning rate by family and size.

Examples:
  layerprune recipe --model ./SmolLM2-pruned --dataset texts.jsonl
  layerprune recipe --model ./SmolLM2-pruned --dataset allenai/c4 --dataset-config en -o healing`,
    )
    .action(runRecipe)
}

async function runRecipe(flags: Flags): Promise<void> {
  const [{ makeRecipe }, { writeFilesAtomically }, { quoteForShell }, output, { join }] = await Promise.all([
    import('../recipe/recipe.js'),
    import('../write-files.js'),
    import('../quote-for-shell.js'),
    import('../terminal/output.js'),
    import('node:path'),
  ])
  const { training, files } = await makeRecipe({
    model: flags.model,
    dataset: flags.dataset,
    column: flags.datasetColumn,
    config: flags.datasetConfig,
    split: flags.datasetSubset,
    maxLength: flags.maxLength,
  })
  await writeFilesAtomically(flags.output, files)
  await output.printDocument(training, flags, ({ settings, targets }) =>
    [
      `rank ${settings.rank}, learning rate ${settings.learningRate} (of the paper: ${settings.origin}), ${settings.steps} steps of ${settings.batchSize} x ${settings.maxLength} tokens`,
      `changes ${[...targets.modules, ...targets.parameters].join(', ')}`,
      'Run one of these on a machine with a GPU:',
      `  axolotl train ${quoteForShell(join(flags.output, 'axolotl.yaml'))}`,
      `  python ${quoteForShell(join(flags.output, 'heal.py'))}`,
    ].join('\n'),
  )
}
