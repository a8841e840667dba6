import { Command } from 'commander'
import { wholeNumber } from './arguments.js'
import { replaceOption } from './measuring-flags.js'
import type { RecipeFlags } from './run/recipe.js'

export function makeRecipeCommand(): Command {
  return new Command('recipe')
    .description('Write an axolotl config and a PEFT script that heal a pruned model by training it on a GPU.')
    .requiredOption('--model <folder>', 'folder of the pruned model, in safetensors')
    .requiredOption('--dataset <path...>', 'jsonl, json, csv, txt or parquet files, folders of them, or a Hub id')
    .option('--dataset-config <name>', 'configuration of a Hub dataset')
    .option('--dataset-split <name>', 'split of a Hub dataset, also --dataset-subset', 'train')
    .option('--dataset-column <name>', 'column that holds the text', 'text')
    .option(
      '--max-length <n>',
      'tokens per sequence (default: 2048, or 4096 for models with more than 10 billion parameters)',
      wholeNumber(1),
    )
    .option('--steps <n>', 'steps of training, of 16 sequences each (default: 5000)', wholeNumber(1))
    .option('-o, --output <folder>', 'folder to write axolotl.yaml and heal.py to', 'layerprune-recipe')
    .addOption(replaceOption())
    .option('--json', 'print the settings as JSON')
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText(
      'after',
      `
The settings are those of the paper (arXiv 2403.17887): QLoRA on the MLPs, 5000 steps of 16 sequences, a cosine
schedule with 100 warm-up steps, rank and learning rate by family and size. The paper trains on some 160 million
tokens: give fewer --steps for fewer texts.

Examples:
  layerprune recipe --model ./SmolLM2-pruned --dataset texts.jsonl
  layerprune recipe --model ./SmolLM2-pruned --dataset texts.jsonl --steps 300
  layerprune recipe --model ./SmolLM2-pruned --dataset allenai/c4 --dataset-config en -o healing`,
    )
    .action(async (flags: RecipeFlags) => (await import('./run/recipe.js')).run(flags))
}
