import { Command, Option } from 'commander'
import { STRATEGIES, type Strategy } from '../strategies/strategy.js'
import { wholeNumber } from './arguments.js'
import { addDatasetFlags, addModelFlags, type DatasetFlags, type ModelFlags } from './measuring-flags.js'
import { checkOutputFile } from './output-file.js'
import { runWithHooks } from './run-hooks.js'

interface Flags extends ModelFlags, Omit<DatasetFlags, 'dataset'> {
  dataset?: string[]
  layersToSkip: number
  strategy: Strategy
  verify?: number
  verifySize?: number
  output?: string
  json?: boolean
  quiet?: boolean
}

export function makePlanCommand(): Command {
  const command = new Command('plan').description(
    'Choose the layers to remove by a named strategy, and write the plan that evaluate, prune and slice-config take.',
  )
  return addDatasetFlags(addModelFlags(command), { required: false })
    .requiredOption(
      '--layers-to-skip <n>',
      'how many layers to remove, 1 to the number of layers - 1',
      wholeNumber(1),
    )
    .addOption(new Option('--strategy <name>', 'how they are chosen').choices(STRATEGIES).default('angular'))
    .option('--verify <k>', 'with verified: blocks checked by perplexity (default: 8)', wholeNumber(1))
    .option('--verify-size <n>', 'with verified: texts for that (default: 32)', wholeNumber(1))
    .option('-o, --output <file>', 'write the plan to a file')
    .option('--json', 'print the plan as JSON')
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText(
      'after',
      `
Strategies:
  angular            the block across which the residual stream turns least (Gromov et al. 2024)
  deepest            the deepest layers but the last, without a measurement (the same paper's baseline)
  block-influence    the layers that turn it least one by one, anywhere (ShortGPT)
  greedy-perplexity  one layer after another, each time the one that costs least perplexity (SLEB); takes longest
  verified           of the blocks of the smallest distances, that of the lowest perplexity on other texts
  repaired           as greedy-perplexity, each candidate measured as prune --repair would leave it; for that alone
Texts are taken from the start of the dataset: 128, or 32 for greedy-perplexity and 64 for repaired, if --dataset-size is not given;
verified checks on those that follow.

Examples:
  layerprune plan --model ./SmolLM2-135M --dataset texts.jsonl --layers-to-skip 8 --strategy verified -o plan.json
  layerprune plan --model ./SmolLM2-135M --dataset texts.jsonl --layers-to-skip 8 --strategy greedy-perplexity --max-length 256
  layerprune plan --model ./SmolLM2-135M --layers-to-skip 8 --strategy deepest --json`,
    )
    .action(runPlan)
}

async function runPlan(flags: Flags): Promise<void> {
  const [{ planLayers }, { formatPlan }, output, { writeFileAtomically }] = await Promise.all([
    import('../strategies/plan-layers.js'),
    import('../terminal/plan.js'),
    import('../terminal/output.js'),
    import('../write-files.js'),
  ])
  await checkOutputFile(flags.output, flags.dataset ?? [])
  const plan = await runWithHooks(flags, (hooks) =>
    planLayers({ ...flags, ...hooks, column: flags.datasetColumn }),
  )
  if (flags.output !== undefined)
    await writeFileAtomically(flags.output, `${JSON.stringify(plan, null, 2)}\n`)
  await output.printDocument(plan, flags, formatPlan)
  if (flags.output !== undefined) output.printNote(`wrote the plan to ${flags.output}`)
}
