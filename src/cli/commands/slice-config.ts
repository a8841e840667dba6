import { Command, Option } from 'commander'
import { wholeNumber } from './arguments.js'
import { addRemovalFlags } from './removal-flags.js'
import type { SliceConfigFlags } from './run/slice-config.js'

export function makeSliceConfigCommand(): Command {
  const command = new Command('slice-config').description(
    'Write the mergekit YAML, or the llama-quantize command, that removes blocks of layers, from a saved result, a plan or explicit ranges.',
  )
  return addRemovalFlags(command)
    .option('--model <id>', 'folder or Hub id to write in the YAML (default: the one named in the file of --from)')
    .option(
      '--num-layers <n>',
      "number of layers of the whole model (default: read from the model folder's config.json)",
      wholeNumber(1),
    )
    .addOption(
      new Option('--format <name>', 'what to write: mergekit YAML, or a llama-quantize command for a GGUF file')
        .choices(['mergekit', 'llama-quantize'])
        .default('mergekit'),
    )
    .option('-o, --output <file>', 'write to a file (default: standard output)')
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText(
      'after',
      `
Examples:
  layerprune slice-config --from layerprune-output/similarity.json
  layerprune slice-config --from layerprune-output/similarity.json --layers-to-skip 4 -o slice.yaml
  layerprune slice-config --model meta-llama/Meta-Llama-3-8B --drop 21..28 --num-layers 32
  layerprune slice-config --model meta-llama/Meta-Llama-3-8B --start 21 --end 29 --num-layers 32
  layerprune slice-config --format llama-quantize --model SmolLM2-135M-Instruct.Q4_1.gguf --drop 12..19`,
    )
    .action(async (flags: SliceConfigFlags) => (await import('./run/slice-config.js')).run(flags))
}
