import { Command, Option } from 'commander'
import { DEVICES } from '../../engine/sessions/device.js'
import { memorySize, positiveNumber, wholeNumber } from './arguments.js'
import { addExportFlag } from './export-flag.js'
import { addReadingFlags, COLUMN_HELP, ignoreConfigKeyOption } from './measuring-flags.js'
import type { HealFlags } from './run/heal.js'
import { whileTokenizerStarts } from './while-tokenizer-starts.js'

export function makeHealCommand(): Command {
  const command = new Command('heal')
    .description('Train a pruned model on texts, on this machine, so that it predicts them better.')
    .requiredOption('--model <id>', 'folder with config.json, the tokenizer and safetensors, or a Hub id')
    .option('--revision <name>', 'branch, tag or commit of a Hub model')
    .addOption(ignoreConfigKeyOption())
    .requiredOption('-o, --output <folder>', 'folder to write to; it appears once it is complete')
    .option('--adapter', 'write the low-rank adapter alone, for PEFT, instead of the model')
    .option('--force', 'replace a model that is already in the output folder, and drop a training that was stopped')
    .option('--resume', 'continue a training that was stopped')
  return addOutputFlags(addExportFlag(addMethodFlags(addAmountFlags(addTextFlags(command)))))
    .addHelpText(
      'after',
      `
Trained are low-rank adapters (LoRA) on the MLPs, which are merged into the weights. The texts to measure on are never
trained on; the weights that are written are those with the lowest loss on them. The same seed gives the same weights
to the bit on the same machine with the same number of threads.
Ctrl-C stops a training, and --resume continues it; meanwhile its state is in OUTPUT.layerprune-training.

Examples:
  layerprune heal --model ./SmolLM2-repaired --dataset texts.jsonl -o ./SmolLM2-healed
  layerprune heal --model ./SmolLM2-repaired --dataset texts.jsonl -o ./SmolLM2-healed --minutes 20
  layerprune heal --model ./SmolLM2-repaired --dataset texts.jsonl -o ./SmolLM2-healed --export onnx:q8,gguf:Q8_0
  layerprune heal --model ./SmolLM2-pruned --dataset texts.jsonl -o ./adapter --adapter --steps 100 --rank 8`,
    )
    .action(async (flags: HealFlags) => (await whileTokenizerStarts(flags, () => import('./run/heal.js'))).run(flags))
}

function addTextFlags(command: Command): Command {
  command
    .requiredOption(
      '--dataset <path...>',
      'texts to train on: jsonl, json, csv, tsv, txt, md, parquet (all but parquet also .gz or .zst), folders of them, https addresses of such files, - for standard input, or a Hub id',
    )
    .option('--dataset-column <name>', COLUMN_HELP, 'text')
    .option('--dataset-size <n>', 'read the first n texts (default: as many as the training needs)', wholeNumber(1))
  return addReadingFlags(command)
    .option(
      '--evaluate-on <path...>',
      'texts to measure on (default: those that prune measured on, or the first ones of --dataset without those that it used)',
    )
    .option('--evaluate-size <n>', 'how many texts to measure on (default: 64)', wholeNumber(1))
}

function addAmountFlags(command: Command): Command {
  return command
    .option('--steps <n>', 'training steps (default: 200, or as many as fit in --minutes)', wholeNumber(1))
    .option('--minutes <n>', 'end the training after n minutes', positiveNumber)
    .option('--patience <n>', 'end it after n measurements without a lower loss (default: never)', wholeNumber(1))
    .option('--evaluate-every <n>', 'steps between measurements (default: 50)', wholeNumber(1))
    .option('--batch-size <n>', 'sequences per step (default: 4)', wholeNumber(1))
    .option('--micro-batch-size <n>', 'of these, how many run at once (default: at most 4)', wholeNumber(1))
    .option('--max-length <n>', "tokens per sequence (default: 256, or the model's limit if lower)", wholeNumber(2))
    .option(
      '--layers-at-once <n>',
      'hold the values of n layers at once and compute them again, for less memory (default: all)',
      wholeNumber(1),
    )
    .option('--max-memory <size>', 'hold as many layers at once as this memory allows, for example 4GB', memorySize)
}

function addMethodFlags(command: Command): Command {
  return command
    .option(
      '--teacher <id>',
      'learn from the probabilities of this model, usually the whole one, rather than from the texts alone',
    )
    .option(
      '--whole <id>',
      "the whole model, to print its perplexity beside the others (default: the figure in the model's plan)",
    )
    .option(
      '--teacher-states <weight>',
      'learn its states after each cut too, which count so much beside the probabilities (for example 1)',
      positiveNumber,
    )
    .addOption(
      new Option(
        '--dtype <name>',
        'precision that frozen weights are held in, fp32 or the one they are stored in, which takes less memory (default: fp32)',
      ).choices(['fp32', 'bf16', 'fp16']),
    )
    .option('--rank <n>', 'rank of the adapters (default: 16)', wholeNumber(1))
    .option('--alpha <n>', 'adapters are scaled by alpha / rank (default: the rank)', positiveNumber)
    .option('--targets <name...>', 'modules to train, by their paths or the ends of these (default: those of the MLPs)')
    .option('--whole-matrices', 'train the matrices themselves instead of adapters')
    .option('--learning-rate <n>', 'peak of the learning rate (default: 0.001)', positiveNumber)
    .option('--warmup-steps <n>', 'steps in which the learning rate rises (default: 10)', wholeNumber(0))
    .option('--weight-decay <n>', 'weight decay of AdamW (default: 0)', positiveNumber)
    .option('--clip <n>', 'largest norm of the gradients (default: 1)', positiveNumber)
    .option('--seed <n>', 'seed of the adapters and of the order of the texts (default: 0)', wholeNumber(0))
}

function addOutputFlags(command: Command): Command {
  return command
    .addOption(new Option('--device <name>', 'where the model is trained').choices(DEVICES).default('cpu'))
    .option(
      '--threads <n>',
      'threads, at most the number of processors (default: one per physical core)',
      wholeNumber(1),
    )
    .option('--json', 'print the result as JSON')
    .option('--quiet', 'print nothing but the result, warnings and errors')
}
