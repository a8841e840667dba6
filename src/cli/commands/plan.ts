import { Command, InvalidArgumentError, Option } from 'commander'
import { isObjective, type Objective, STRATEGIES } from '../../jobs/strategies/strategy.js'
import { namedPath, wholeNumber } from './arguments.js'
import { addRunFlags, replaceOption } from './measuring-flags.js'
import type { PlanFlags } from './run/plan.js'
import { whileTokenizerStarts } from './while-tokenizer-starts.js'

export function makePlanCommand(): Command {
  const command = new Command('plan').description(
    'Choose the layers to remove by a named strategy, and write the plan that evaluate, prune and slice-config take.',
  )
  return addRunFlags(command, { requireTexts: false, textsRead: '128 or fewer, see below' })
    .requiredOption('--layers-to-skip <n>', 'how many layers to remove, 1 to the number of layers - 1', wholeNumber(1))
    .addOption(new Option('--strategy <name>', 'how they are chosen').choices(STRATEGIES).default('angular'))
    .option(
      '--objective <name>',
      'with greedy-perplexity and repaired: what to keep low: perplexity, kl, the divergence from the whole model, or task:NAME, how unlikely the right answers of a task are (default: perplexity)',
      objective,
    )
    .option('--verify <k>', 'with verified: blocks checked by perplexity (default: 8)', wholeNumber(1))
    .option('--verify-size <n>', 'with verified: texts for that (default: 32)', wholeNumber(1))
    .option('--task <name>', 'with task: a built-in task, or the .yaml file of one of your own')
    .option('--task-data <name=path>', "with a task: the task's files on this machine", namedPath)
    .option('--limit <n>', 'with a task: documents to choose on (default: 128)', wholeNumber(1))
    .option('--num-fewshot <n>', 'with a task: examples before each document', wholeNumber(0))
    .option('--resume', 'continue a run with the same flags that was stopped or killed')
    .option('-o, --output <file>', 'write the plan to a file')
    .addOption(replaceOption())
    .option('--json', 'print the plan as JSON')
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText(
      'after',
      `
Strategies:
  angular            the block with the smallest angular distance between its input and output (Gromov et al. 2024)
  deepest            the deepest layers except the last, without measuring (the baseline of the same paper)
  block-influence    the layers that each change the residual stream least, wherever they are (ShortGPT)
  greedy-perplexity  one layer at a time, the one whose removal costs least perplexity (SLEB); the slowest
  verified           of the blocks with the smallest distances, the one with the lowest perplexity on other texts
  repaired           like greedy-perplexity, but candidates are measured repaired; only for prune --repair
  task               like greedy-perplexity, by how likely the right answers of a task are (after TALE); no --dataset
Without --dataset-size the first 128 texts are used, or 32 for greedy-perplexity and 64 for repaired; verified checks
on the texts after them.

Examples:
  layerprune plan --model ./SmolLM2-135M --dataset texts.jsonl --layers-to-skip 8 --strategy verified -o plan.json
  layerprune plan --model ./SmolLM2-135M --dataset texts.jsonl --layers-to-skip 8 --strategy greedy-perplexity --max-length 256
  layerprune plan --model ./SmolLM2-135M --layers-to-skip 4 --strategy task --task arc_easy -o plan.json
  layerprune plan --model ./SmolLM2-135M --dataset texts.jsonl --layers-to-skip 4 --strategy repaired --objective task:arc_easy
  layerprune plan --model ./SmolLM2-135M --layers-to-skip 8 --strategy deepest --json`,
    )
    .action(async (flags: PlanFlags) => (await whileTokenizerStarts(flags, () => import('./run/plan.js'))).run(flags))
}

function objective(name: string): Objective {
  if (isObjective(name)) return name
  throw new InvalidArgumentError('Expected perplexity, kl or a task, for example task:arc_easy.')
}
