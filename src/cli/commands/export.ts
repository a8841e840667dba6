import { Command, Option } from 'commander'
import { FORMATS } from '../../files/checkpoint/onnx-files.js'
import { wholeNumber } from './arguments.js'
import { ignoreConfigKeyOption } from './measuring-flags.js'
import { addRemovalFlags } from './removal-flags.js'
import type { ExportFlags } from './run/export.js'

const EPILOGUE = `
Any model that can be read can be exported: safetensors, PyTorch files, GGUF, packed weights (decoded), adapters (merged
into their base). With --drop or --from the layers that these name are left out.
ONNX graphs keep what they have read, so that each new token costs one short run; they are written as transformers.js
loads them: fp32, fp16, q8 and q4 (weights in blocks of 32 that share a factor), q4f16 (the same, for GPUs). The first
dtype is what transformers.js loads if it is asked for none. GGUF files are written as llama.cpp's converter and
llama-quantize write them.
At the end every file and the model read and continue a few short texts. If they differ by more than the dtype explains,
the export fails and leaves nothing.

Examples:
  layerprune export --model ./SmolLM2-135M --to onnx -o ./SmolLM2-onnx
  layerprune export --model ./SmolLM2-pruned --to onnx --dtype q4f16,fp16 -o ./SmolLM2-pruned-onnx
  layerprune export --model ./SmolLM2-135M --to gguf --dtype Q4_K_M -o ./SmolLM2-gguf
  layerprune export --model ./SmolLM2-135M-Instruct --to gguf --modelfile -o ./SmolLM2-ollama
  layerprune export --model ./SmolLM2-135M --drop 11:19 --to onnx --dtype q4 -o ./SmolLM2-cut-onnx`

export function makeExportCommand(): Command {
  const command = new Command('export')
    .description('Write a model, whole or without some of its layers, as files that run elsewhere, and check them.')
    .requiredOption('--model <id>', 'folder with config.json, the tokenizer and the weights, a GGUF file, or a Hub id')
    .addOption(
      new Option('--to <format>', 'onnx for transformers.js and ONNX Runtime; gguf for llama.cpp, Ollama and LM Studio')
        .choices(['onnx', 'gguf'])
        .makeOptionMandatory(),
    )
    .option(
      '--dtype <names>',
      'types to write, separated by commas: of ONNX fp32, fp16, q8, q4, q4f16 (default: q8), of GGUF F32, F16, BF16, Q8_0, Q6_K, Q5_K_M, Q4_K_M, Q4_0, MXFP4 (default: Q8_0)',
      splitNames,
    )
    .requiredOption('-o, --output <folder>', 'folder to write to; it appears once it is complete')
  return addRemovalFlags(command)
    .option('--force', 'replace a model that is already in the output folder')
    .option('--modelfile', 'beside a GGUF file, write the Modelfile that `ollama create` reads')
    .option('--no-check', 'do not run what was written')
    .option('--dry-run', 'say what would be written and how large, and write nothing')
    .option('--revision <name>', 'branch, tag or commit of a Hub model')
    .option('--base <id>', 'of an adapter: the model that it is merged into (default: as the adapter says)')
    .option('--tokenizer <id>', 'folder, GGUF file or Hub id of the tokenizer, if the model has none of its own')
    .addOption(
      new Option('--format <name>', 'weights to read (default: safetensors if there are any)').choices(FORMATS),
    )
    .option('--model-file <file>', 'GGUF file to read, by its name in the folder')
    .addOption(ignoreConfigKeyOption())
    .option('--threads <n>', 'threads for the check (default: one per physical core)', wholeNumber(1))
    .option('--json', 'print what was written as JSON')
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText('after', EPILOGUE)
    .action(async (flags: ExportFlags) => (await import('./run/export.js')).run(flags))
}

function splitNames(text: string): string[] {
  return text.split(',').map((name) => name.trim())
}
