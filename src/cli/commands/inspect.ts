import { Command } from 'commander'
import { addWeightFlags } from './measuring-flags.js'
import type { InspectFlags } from './run/inspect.js'

export function makeInspectCommand(): Command {
  const command = new Command('inspect').description(
    'Say what a model is: family, sizes, parameters, files, whether it can be analysed, and the memory it takes.',
  )
  return addWeightFlags(command)
    .option('--json', 'print what was found as JSON')
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText(
      'after',
      `
Nothing is run, and no weight is read. The exit code is 1 if the model cannot be analysed. For a Hub model, the files that an analysis would read are downloaded.

Examples:
  layerprune inspect --model ./SmolLM2-135M
  layerprune inspect --model ./SmolLM2-135M --format onnx --dtype q4
  layerprune inspect --model HuggingFaceTB/SmolLM2-135M --json`,
    )
    .action(async (flags: InspectFlags) => (await import('./run/inspect.js')).run(flags))
}
