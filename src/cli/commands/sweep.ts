import { Command, InvalidArgumentError, Option } from 'commander'
import type { SweepStrategy } from '../../jobs/sweep/options.js'
import { leastAccuracy, memorySize, ratioAboveOne, shard, wholeNumber } from './arguments.js'
import { addTaskFlags } from './evaluate.js'
import { addRunFlags, replaceOption } from './measuring-flags.js'
import type { SweepFlags } from './run/sweep.js'
import { whileTokenizerStarts } from './while-tokenizer-starts.js'

/** SWEEP_STRATEGIES of src/jobs/sweep/options.ts, written out because the help loads no job. */
const STRATEGIES: SweepStrategy[] = [
  ...(['verified', 'angular', 'block-influence', 'greedy-perplexity', 'repaired', 'task', 'deepest'] as const),
]

const HELP = `
The strategy verified compares the 8 nearest blocks of each size, and those beside the best of other sizes, by
perplexity, and with --repair the best two of them repaired; angular takes the nearest. They and the others are those of
plan; task takes the first --task.
Layers are chosen on the first --dataset-size texts (default: 32) and cuts measured on the --verify-size texts after them
(default: 32). Cuts share the layers below the first one that they remove. A cut that is clearly above 4 times the
perplexity of the whole model on the first eighth of the texts is measured no further (~ in the table) unless --full is given.
Writes sweep.json, sweep.csv and sweep.svg to the output folder, and plan.json if a cut is within the limits; while it
runs, sweep.partial.json, from which --resume continues.
With --max-perplexity-ratio or --min-task, the cut of the most layers within the limits is recommended; with --max-size alone, the one
of the lowest perplexity. With --repair, perplexities after the repair count.
KL is KL(whole || cut) in nats per token, agreement how often the most probable next token is the whole model's, size
that of the weights on disk; tokens/s is how fast a prompt passes through the layers on this machine.

Examples:
  layerprune sweep --model ./SmolLM2-135M --dataset texts.jsonl --max-length 256
  layerprune sweep --model ./SmolLM2-135M --dataset texts.jsonl --strategy angular --strategy block-influence
  layerprune sweep --model ./SmolLM2-135M --dataset texts.jsonl --sizes 2,4,8 --repair --max-perplexity-ratio 1.25
  layerprune sweep --model ./SmolLM2-135M --dataset texts.jsonl --task arc_easy --limit 500 --min-task arc_easy=0.55
  layerprune sweep --model ./SmolLM2-135M --dataset texts.jsonl --max-size 200MB --json
  layerprune sweep --model ./SmolLM2-135M --dataset texts.jsonl --shard 1/4 --resume`

export function makeSweepCommand(): Command {
  const command = new Command('sweep').description(
    'Measure what is lost and gained without 1, 2, 3, ... layers, and find the largest cut within given limits.',
  )
  return addTaskFlags(addRunFlags(command, { textsRead: '32' }))
    .addOption(
      new Option('--strategy <name>', 'how layers are chosen, repeatable (default: verified)')
        .choices(STRATEGIES)
        .argParser(strategies),
    )
    .option(
      '--sizes <list>',
      'how many layers to remove, comma-separated; also --layers-to-skip (default: 1 to half of the layers)',
      sizes,
    )
    .addOption(new Option('--layers-to-skip <list>', 'the same as --sizes').argParser(sizes).hideHelp())
    .option('--verify-size <n>', 'texts that cuts are measured on (default: 32)', wholeNumber(1))
    .option('--repair', 'measure every cut repaired too, as prune --repair repairs it')
    .option('--full', 'measure every cut on all texts, also those that lose much on the first ones')
    .option(
      '--max-perplexity-ratio <x>',
      'the largest perplexity of a cut, as a multiple of the whole model, for example 1.25',
      ratioAboveOne,
    )
    .option('--max-size <size>', 'the largest size of the weights of a cut on disk, for example 1GB', memorySize)
    .option(
      '--min-task <name=accuracy>',
      'the least accuracy of a cut on a task of --task, for example arc_easy=0.55 (repeatable)',
      leastAccuracy,
    )
    .option(
      '--samples <n>',
      'show how the whole model and the recommended cut continue n further texts (default: 0)',
      wholeNumber(0),
    )
    .option(
      '--max-memory <size>',
      'stay below so much memory, for example 8GB, by loading layers as they are needed',
      memorySize,
    )
    .addOption(replaceOption())
    .option('--resume', 'continue a run with the same flags that was stopped or killed')
    .option('--shard <i/N>', 'measure every Nth cut from the ith on; layerprune merge merges the parts', shard)
    .option('-o, --output <folder>', 'folder to write results to', 'layerprune-output')
    .option('--json', 'print the result as JSON')
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText('after', HELP)
    .action(async (flags: SweepFlags) => (await whileTokenizerStarts(flags, () => import('./run/sweep.js'))).run(flags))
}

function strategies(name: string, before: SweepStrategy[] = []): SweepStrategy[] {
  if ((STRATEGIES as string[]).includes(name)) return [...before, name as SweepStrategy]
  throw new InvalidArgumentError(`Allowed choices are ${STRATEGIES.join(', ')}.`)
}

function sizes(list: string): number[] {
  return list.split(',').map((size) => wholeNumber(1)(size.trim()))
}
