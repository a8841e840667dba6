import { Command, Option } from 'commander'
import { GRAPH_DTYPES, type GraphDtype } from '../checkpoint/onnx-files.js'
import { UsageError } from '../errors.js'
import type { Format } from '../model.js'
import type { PruneOptions } from '../prune/prune.js'
import type { RepairModelOptions } from '../repair/repair-model.js'
import { listenForInterruption } from './interruption.js'
import { listMakingFlags } from './making-flags.js'
import { addRemovalFlags, planRemoval, type RemovalFlags, readRemoval } from './removal.js'
import { addRepairFlags, type RepairFlags, readRepairFlags } from './repair-flags.js'

interface Flags extends RemovalFlags, RepairFlags {
  model: string
  revision?: string
  modelFile?: string
  dtype?: GraphDtype
  allDtypes?: boolean
  format?: Format
  output: string
  unproven?: boolean
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
  return addRepairFlags(addRemovalFlags(command))
    .requiredOption('-o, --output <folder>', 'folder to write, which appears once it is complete')
    .option('--force', 'replace a model that is in the output folder')
    .option(
      '--unproven',
      'write a model whose family was not compared with its whole models; its card says so',
    )
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
        GRAPH_DTYPES,
      ),
    )
    .option('--model-file <file>', 'graph to prune by name, for example onnx/model_q4.onnx')
    .option('--all-dtypes', 'prune a graph of every precision that the model has')
    .option('--json', 'print what was written as JSON')
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText(
      'after',
      `
Layers are 0-based: 11:19 (end exclusive) and 11..18 (as printed) are the same.
A family whose cuts were not compared with whole models in transformers is refused; --unproven writes it anyway.
Of a model with both forms the safetensors are pruned where their family is known, and of several graphs the best.
--repair changes weights in float only, not in quantised graphs. Texts it measures on are never those it fits on.

Examples:
  layerprune prune --model ./SmolLM2-135M --drop 11:19 -o ./SmolLM2-pruned
  layerprune prune --model ./SmolLM2-135M --drop 12:20 -o ./SmolLM2-repaired --repair --dataset texts.jsonl
  layerprune prune --model ./SmolLM2-135M --from layerprune-output/similarity.json -o ./SmolLM2-pruned --dry-run
  layerprune prune --model ./SmolLM2-135M --drop 11:19 --format onnx --dtype q4 -o ./SmolLM2-pruned-onnx
  layerprune prune --model onnx-community/SmolLM2-135M-ONNX --drop 11:19 --all-dtypes -o ./SmolLM2-pruned-onnx`,
    )
    .action(runPrune)
}

async function runPrune(flags: Flags, command: Command): Promise<void> {
  const [{ pruneModel }, { locateModel }, { createProgress }, { formatPruned }, { formatRepaired }, output] =
    await Promise.all([
      import('../prune/prune.js'),
      import('../model.js'),
      import('../terminal/progress.js'),
      import('../terminal/pruned.js'),
      import('../terminal/repaired.js'),
      import('../terminal/output.js'),
    ])
  const quiet = flags.quiet ?? false
  output.setQuiet(quiet)
  const repairOptions = readRepairFlags(flags)
  if (repairOptions !== undefined && flags.allDtypes) {
    throw new UsageError('--repair fits the weights of one graph, and --all-dtypes was asked for')
  }
  const removal = await readRemoval(flags)
  const interruption = listenForInterruption(() =>
    output.printNote('stopping; press Ctrl-C again to stop at once'),
  )
  const { signal } = interruption
  let progress: ReturnType<typeof createProgress> | undefined
  try {
    const options: Omit<PruneOptions, 'plan'> = {
      ...flags,
      flags: listMakingFlags(command),
      signal,
      onNote: printOnce(output.printNote),
      onProgress: ({ writtenBytes, totalBytes }) => {
        progress ??= createProgress({ quiet, unit: 'MB' })
        progress.update(Math.round(writtenBytes / BYTES_PER_MB), Math.round(totalBytes / BYTES_PER_MB))
      },
    }
    const { config } = await locateModel({ ...options, onNote: undefined })
    const plan = await planRemoval(removal, { id: flags.model, layers: config.layers, family: config.family })
    if (repairOptions !== undefined) await pruneModel({ ...options, plan, dryRun: true, onNote: undefined })
    const repair = repairOptions && (await repairBeforeWriting({ ...options, ...repairOptions, plan, quiet }))
    const result = await pruneModel({ ...options, ...repair?.changes, plan })
    progress?.stop()
    const written = { ...result, ...(repair ? { repair: repair.report } : {}) }
    await output.printDocument(written, flags, ({ repair, ...pruned }) =>
      [formatPruned(pruned, flags.output), ...(repair ? [formatRepaired(repair)] : [])].join('\n'),
    )
  } finally {
    progress?.stop()
    interruption.stop()
  }
}

/** Prints a note the first time only: a repair and the writing after it open the same model. */
function printOnce(print: (note: string) => void): (note: string) => void {
  const printed = new Set<string>()
  return (note) => {
    if (!printed.has(note)) print(note)
    printed.add(note)
  }
}

type Repair = Omit<RepairModelOptions, 'removed' | 'onProgress'> &
  Pick<PruneOptions, 'plan'> & { quiet: boolean }

/** Fits the repair and measures it, with a progress bar of its own. */
async function repairBeforeWriting({ quiet, plan, ...options }: Repair) {
  const [{ repairModel }, { describeRepairInCard }, { createProgress }] = await Promise.all([
    import('../repair/repair-model.js'),
    import('../repair/describe-repair.js'),
    import('../terminal/progress.js'),
  ])
  const bars = new Map<string, ReturnType<typeof createProgress>>()
  const stop = () => {
    for (const bar of bars.values()) bar.stop()
  }
  try {
    const { replacements, report } = await repairModel({
      ...options,
      removed: plan.removed,
      onProgress: ({ done, total, unit }) => {
        if (!bars.has(unit)) {
          stop()
          bars.set(unit, createProgress({ quiet, unit }))
        }
        bars.get(unit)!.update(done, total)
      },
    })
    const changes: Pick<PruneOptions, 'replacements' | 'cardSections'> = {
      replacements,
      cardSections: describeRepairInCard(report),
    }
    return { changes, report }
  } finally {
    stop()
  }
}
