import { Command, Option } from 'commander'
import { FORMATS, GRAPH_DTYPES } from '../../files/checkpoint/onnx-files.js'
import { wholeNumber } from './arguments.js'
import { addExportFlag } from './export-flag.js'
import { ignoreConfigKeyOption } from './measuring-flags.js'
import type { PruneFlags } from './prune-flags.js'
import { addPruneHealFlags } from './prune-heal-flags.js'
import { addRemovalFlags } from './removal-flags.js'
import { addRepairFlags } from './repair-flags.js'

const EPILOGUE = `
Layers are 0-based: 11:19 (end exclusive) and 11..18 (as printed) are the same.
A family whose cuts were never compared with whole models in transformers is refused unless --unproven is given.
If a model has both formats, the safetensors are pruned if their family is known; of several graphs, the best one.
At the end both models read a text of 256 tokens, to say how fast they are, and with --dataset continue the beginnings
of others that they were not repaired or chosen on, 40 tokens each, the most likely one each time.
--repair changes float weights only, not quantised graphs. It never measures on the texts that it fits on.
--heal trains safetensors. With it, all is measured on the first texts of --dataset, which nothing is fitted or trained
on. Ctrl-C stops a repair or a training, and the same command with --resume continues it.

Examples:
  layerprune prune --model ./SmolLM2-135M --drop 11:19 -o ./SmolLM2-pruned
  layerprune prune --model ./SmolLM2-135M --drop 12:20 -o ./SmolLM2-repaired --repair --dataset texts.jsonl
  layerprune prune --model ./SmolLM2-135M --drop 12:20 -o ./SmolLM2-healed --repair --heal --dataset texts.jsonl
  layerprune prune --model ./SmolLM2-135M --drop 11:19 -o ./SmolLM2-pruned --export onnx:q4f16,gguf:Q4_K_M
  layerprune prune --model ./SmolLM2-135M --from layerprune-output/similarity.json -o ./SmolLM2-pruned --dry-run
  layerprune prune --model ./SmolLM2-135M --drop 11:19 --format onnx --dtype q4 -o ./SmolLM2-pruned-onnx
  layerprune prune --model onnx-community/SmolLM2-135M-ONNX --drop 11:19 --all-dtypes -o ./SmolLM2-pruned-onnx`

export function makePruneCommand(): Command {
  const command = new Command('prune')
    .description('Write a model without some of its layers, ready to load: safetensors or ONNX, as it was stored.')
    .requiredOption('--model <id>', 'folder with config.json, the tokenizer and the weights, or a Hub id')
  return addExportFlag(addPruneHealFlags(addRepairFlags(addRemovalFlags(command))))
    .requiredOption('-o, --output <folder>', 'folder to write to; it appears once it is complete')
    .option('--force', 'replace a model that is already in the output folder')
    .option(
      '--unproven',
      'write a model of a family whose cuts were never compared with whole models; its card says so',
    )
    .option(
      '--samples <n>',
      'beginnings of texts that the whole and the pruned model continue (default: 3 with --dataset)',
      wholeNumber(0),
    )
    .option('--no-speed', 'do not run the models to measure their speed, and show no samples')
    .option('--dry-run', 'say what would be written and how large, and write nothing')
    .option('--revision <name>', 'branch, tag or commit of a Hub model')
    .addOption(
      new Option('--format <name>', 'weights to prune (default: safetensors, or pytorch, if there are any)').choices(
        FORMATS,
      ),
    )
    .addOption(
      new Option('--dtype <name>', 'precision of the graph to prune (default: the best one present)').choices(
        GRAPH_DTYPES,
      ),
    )
    .addOption(ignoreConfigKeyOption())
    .option('--model-file <file>', 'graph to prune, by file name, for example onnx/model_q4.onnx')
    .option('--all-dtypes', 'prune one graph of every precision that the model has')
    .option('--json', 'print what was written as JSON')
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText('after', EPILOGUE)
    .action(async (flags: PruneFlags, command: Command) => (await import('./run/prune.js')).run(flags, command))
}
