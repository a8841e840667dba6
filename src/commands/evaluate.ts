import { Command } from 'commander'
import { wholeNumber } from './arguments.js'
import { addDatasetFlags, addModelFlags, type DatasetFlags, type ModelFlags } from './measuring-flags.js'
import { checkOutputFile } from './output-file.js'
import { addRemovalFlags, planRemoval, type RemovalFlags, readRemovals } from './removal.js'
import { runWithHooks } from './run-hooks.js'

interface Flags extends ModelFlags, DatasetFlags, RemovalFlags {
  datasetSkip: number
  output?: string
  json?: boolean
  quiet?: boolean
}

export function makeEvaluateCommand(): Command {
  const command = new Command('evaluate').description(
    'Measure the perplexity of a model, whole and with layers taken out; no pruned model is written.',
  )
  return addRemovalFlags(addDatasetFlags(addModelFlags(command)), { several: true })
    .option(
      '--dataset-skip <n>',
      'pass over the first n texts, as those that a plan was made from',
      wholeNumber(0),
      0,
    )
    .option('-o, --output <file>', 'write the result as JSON to a file too')
    .option('--json', 'print the result as JSON')
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText(
      'after',
      `
Each text is cut at --max-length tokens and stands alone; every token but its first is scored. Bits per byte are over
the UTF-8 bytes that the scored tokens stand for, and compare models of different tokenizers.
Layers are 0-based: 11:19 (end exclusive) and 11..18 (as printed) are the same. Several candidates in one run share
the layers below their first cut, and cost much less than a run for each.

Examples:
  layerprune evaluate --model ./SmolLM2-135M --dataset texts.jsonl --dataset-size 64 --max-length 256
  layerprune evaluate --model ./SmolLM2-135M --dataset texts.jsonl --drop 11:19 --drop 12:20 --drop 3..4,11..16
  layerprune evaluate --model ./SmolLM2-135M --dataset texts.jsonl --from layerprune-output/similarity.json --json`,
    )
    .action(runEvaluate)
}

async function runEvaluate(flags: Flags): Promise<void> {
  const [{ evaluatePerplexity }, { locateModel }, { formatEvaluation }, output, { writeFileAtomically }] =
    await Promise.all([
      import('../evaluate/perplexity.js'),
      import('../model.js'),
      import('../terminal/evaluation.js'),
      import('../terminal/output.js'),
      import('../write-files.js'),
    ])
  output.setQuiet(flags.quiet ?? false)
  await checkOutputFile(flags.output, [...flags.dataset, flags.from, ...(flags.plan ?? [])])
  const removals = await readRemovals(flags)
  const result = await runWithHooks(flags, async (hooks) => {
    const { config } = await locateModel({ ...flags, ...hooks, onNote: undefined })
    const model = { id: flags.model, layers: config.layers, family: config.family }
    const plans = await Promise.all(removals.map((removal) => planRemoval(removal, model)))
    return evaluatePerplexity({
      ...flags,
      ...hooks,
      column: flags.datasetColumn,
      candidates: plans.map(({ removed }) => removed),
    })
  })
  if (flags.output !== undefined)
    await writeFileAtomically(flags.output, `${JSON.stringify(result, null, 2)}\n`)
  await output.printDocument(result, flags, formatEvaluation)
}
