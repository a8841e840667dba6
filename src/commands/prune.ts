import { Command, Option } from 'commander'
import { DTYPES, type Dtype } from '../checkpoint/onnx-files.js'
import type { Format } from '../model.js'
import type { PruneOptions } from '../prune/prune.js'
import { listenForInterruption } from './interruption.js'
import { addRemovalFlags, planRemoval, type RemovalFlags, readRemoval } from './removal.js'

interface Flags extends RemovalFlags {
  model: string
  revision?: string
  modelFile?: string
  dtype?: Dtype
  format?: Format
  output: string
  force?: boolean
  dryRun?: boolean
  json?: boolean
  quiet?: boolean
}

const BYTES_PER_MB = 1e6

export function makePruneCommand(): Command {
  const command = new Command('prune')
    .description(
      'Write a model without some of its layers, ready to load: safetensors or ONNX, as it was stored.',
    )
    .requiredOption('--model <id>', 'folder with config.json, the tokenizer and the weights, or a Hub id')
  return addRemovalFlags(command)
    .requiredOption('-o, --output <folder>', 'folder to write, which appears once it is complete')
    .option('--force', 'replace a model that is in the output folder')
    .option('--dry-run', 'say what would be written and how large, and write nothing')
    .option('--revision <name>', 'branch, tag or commit of a Hub model')
    .addOption(
      new Option('--format <name>', 'weights to prune (default: safetensors where there are some)').choices([
        'onnx',
        'safetensors',
      ]),
    )
    .addOption(
      new Option('--dtype <name>', 'graph to prune by precision (default: the best one present)').choices(
        DTYPES,
      ),
    )
    .option('--model-file <file>', 'graph to prune by name, for example onnx/model_q4.onnx')
    .option('--json', 'print what was written as JSON')
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText(
      'after',
      `
Layers are half-open and 0-based everywhere: 11:19 are layers 11..18.
Of a model with both forms the safetensors are pruned; of several graphs the one that --dtype or --model-file names.

Examples:
  layerprune prune --model ./SmolLM2-135M --drop 11:19 -o ./SmolLM2-pruned
  layerprune prune --model ./SmolLM2-135M --from layerprune-output/similarity.json -o ./SmolLM2-pruned --dry-run
  layerprune prune --model ./SmolLM2-135M --drop 11:19 --format onnx --dtype q4 -o ./SmolLM2-pruned-onnx`,
    )
    .action(runPrune)
}

async function runPrune(flags: Flags): Promise<void> {
  const [{ pruneModel }, { locateModel }, { createProgress }, { formatPruned }, output] = await Promise.all([
    import('../prune/prune.js'),
    import('../model.js'),
    import('../terminal/progress.js'),
    import('../terminal/pruned.js'),
    import('../terminal/output.js'),
  ])
  const quiet = flags.quiet ?? false
  output.setQuiet(quiet)
  const removal = await readRemoval(flags)
  const interruption = listenForInterruption(() =>
    output.printNote('stopping; press Ctrl-C again to stop at once'),
  )
  const { signal } = interruption
  let progress: ReturnType<typeof createProgress> | undefined
  try {
    const options: Omit<PruneOptions, 'plan'> = {
      ...flags,
      signal,
      onNote: output.printNote,
      onProgress: ({ writtenBytes, totalBytes }) => {
        progress ??= createProgress({ quiet, unit: 'MB' })
        progress.update(Math.round(writtenBytes / BYTES_PER_MB), Math.round(totalBytes / BYTES_PER_MB))
      },
    }
    const { config } = await locateModel({ ...options, onNote: undefined })
    const plan = await planRemoval(removal, { id: flags.model, layers: config.layers, family: config.family })
    const result = await pruneModel({ ...options, plan })
    progress?.stop()
    await output.printResult(
      flags.json ? JSON.stringify(result, null, 2) : formatPruned(result, flags.output),
    )
  } finally {
    progress?.stop()
    interruption.stop()
  }
}
