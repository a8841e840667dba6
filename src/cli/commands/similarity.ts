import { Command, Option } from 'commander'
import { UsageError } from '../../base/errors.js'
import { METRICS } from '../../results/documents/metrics.js'
import { confidence, memorySize, metrics, shard, tokenSelection, wholeNumber } from './arguments.js'
import { addRunFlags, replaceOption } from './measuring-flags.js'
import type { SimilarityFlags } from './run/similarity.js'
import { whileTokenizerStarts } from './while-tokenizer-starts.js'

const HELP = `
Writes similarity.json, layer_distances.csv, distances.svg and slice.yaml to the output folder, and while it runs
similarity.partial.json, from which --resume continues.
Without --layers-to-skip it prints the nearest block of every size, and writes similarity.json alone: slice.yaml is of one
block. layerprune sweep measures what such blocks cost.
--until takes texts from the start of the dataset; if they are in a particular order, give --shuffle too.
The nearest block, whose input and output differ least, is often not the best to remove: --verify 8 checks the 8
nearest by perplexity, and slice.yaml, plan.json and --from of other commands then use the block that it recommends.
Models and datasets of the Hub: HF_TOKEN, HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_HUB_OFFLINE and HTTPS_PROXY mean what
they mean to Python. Failed requests are retried for 2 minutes (LAYERPRUNE_RETRY_SECONDS).
PruneMe's spellings work too: --model_path, --dataset_subset, --batch_size, ...

Examples:
  layerprune similarity --model ./SmolLM2-135M --dataset texts.jsonl
  layerprune similarity --model ./SmolLM2-135M --dataset texts.jsonl --layers-to-skip 8 --verify 8
  layerprune similarity --model HuggingFaceTB/SmolLM2-135M --dataset arcee-ai/sec-data-mini --dataset-size 400 --layers-to-skip 8 --verify 8
  layerprune similarity --model ./SmolLM2-135M --dataset corpus/ --dataset-size 400 --layers-to-skip 4 --tokens all
  layerprune similarity --model ./SmolLM2-135M --dataset texts.jsonl --layers-to-skip 8 --metric angular,cosine,euclidean
  layerprune similarity --model ./SmolLM2-135M --dataset texts.parquet --layers-to-skip 8 --dtype q8 --json > result.json
  layerprune similarity --model ./SmolLM2-135M --dataset texts.jsonl --layers-to-skip 8 --until 0.99
  layerprune similarity --model ./SmolLM2-135M --dataset texts.jsonl --layers-to-skip 8 --shard 1/4 --resume
  layerprune similarity --model ./Mistral-7B --dataset texts.jsonl --layers-to-skip 8 --dtype bf16 --max-memory 4GB`

export function makeSimilarityCommand(): Command {
  const command = new Command('similarity').description(
    'Measure how far every block of layers rotates the residual stream, and name the nearest; --verify checks it.',
  )
  return addResultFlags(addMeasurementFlags(addRunFlags(command)))
    .addHelpText('after', HELP)
    .action(async (flags: SimilarityFlags) => {
      assertVerifiable(flags)
      return (await whileTokenizerStarts(flags, () => import('./run/similarity.js'))).run(flags)
    })
}

function addMeasurementFlags(command: Command): Command {
  return command
    .option(
      '--layers-to-skip <n>',
      'size of the block to find, 1 to the number of layers - 1 (default: the nearest of every size)',
      wholeNumber(1),
    )
    .option(
      '--tokens <which>',
      'tokens of each text to compare: last, as in the paper, all, or tail:K, the last K (default: last, with --until tail:32)',
      tokenSelection,
    )
    .addOption(
      new Option(
        '--metric <names>',
        'how states are compared, comma-separated: the first is used for ranking, the others are shown beside it (default: angular)',
      )
        .choices(METRICS)
        .argParser(metrics),
    )
    .option(
      '--until <confidence>',
      'stop as soon as the best block is the best with this confidence, for example 0.99; compares the last 32 tokens of each text unless --tokens is given',
      confidence,
    )
    .option('--shard <i/N>', 'measure every Nth text from the ith on; layerprune merge merges the parts', shard)
    .option(
      '--max-memory <size>',
      'run the model in segments of layers to stay within this memory, for example 4GB',
      memorySize,
    )
}

function addResultFlags(command: Command): Command {
  return command
    .option('--resume', 'continue a run with the same flags that was stopped or killed')
    .option(
      '--verify <k>',
      'check the k nearest blocks by perplexity on other texts, and recommend the one with the lowest; 8 is a good k',
      wholeNumber(1),
    )
    .option(
      '--verify-size <n>',
      'with --verify: number of those texts, which follow the first --dataset-size (then 128 by default)',
      wholeNumber(1),
      32,
    )
    .option('-o, --output <folder>', 'folder to write results to', 'layerprune-output')
    .addOption(replaceOption())
    .option(
      '--plot <file>',
      'also draw the heat map of blocks of every size to this file, SVG or PNG by its name; repeatable',
      (path, before: string[] = []) => [...before, path],
    )
    .option('--heatmap', 'show the blocks of every size in the report')
    .option('--json', 'print the result as JSON')
    .option('--verbose', 'report at the end how close the run came to the peak of the machine')
    .option('--quiet', 'print nothing but the result, warnings and errors')
}

/** @throws UsageError if --verify or --until is combined with a flag that excludes it, or lacks one that it needs */
function assertVerifiable({ verify, until, layersToSkip, shard, maxMemory }: SimilarityFlags): void {
  if (layersToSkip === undefined && (verify ?? until) !== undefined) {
    const flag = verify === undefined ? '--until' : '--verify'
    throw new UsageError(`${flag} requires --layers-to-skip`, {
      hint: 'layerprune sweep measures cuts of every size by perplexity',
    })
  }
  if (verify === undefined) return
  if (shard !== undefined)
    throw new UsageError('--verify cannot be combined with --shard, which measures only a part of the result')
  if (maxMemory !== undefined)
    throw new UsageError('--verify cannot be combined with --max-memory, because it runs the whole model at once')
}
