import { Command, Option } from 'commander'
import { METRICS, type Metric } from '../documents/metrics.js'
import type { SimilarityResult } from '../documents/similarity-result.js'
import { UsageError } from '../errors.js'
import { formatQuantity } from '../format-numbers.js'
import type { Roofline } from '../similarity/roofline.js'
import type { Shard } from '../texts/placed-rows.js'
import type { TokenSelection } from '../texts/token-selection.js'
import { confidence, memorySize, metrics, shard, tokenSelection, wholeNumber } from './arguments.js'
import { listenForInterruption } from './interruption.js'
import { addDatasetFlags, addModelFlags, type DatasetFlags, type ModelFlags } from './measuring-flags.js'
import type { VerifiedResult } from './result-files.js'

interface Flags extends ModelFlags, DatasetFlags {
  layersToSkip: number
  metric?: Metric[]
  tokens?: TokenSelection
  until?: number
  shard?: Shard
  resume?: boolean
  maxMemory?: number
  verify?: number
  verifySize: number
  output: string
  plot?: string[]
  heatmap?: boolean
  json?: boolean
  quiet?: boolean
  verbose?: boolean
}

export function makeSimilarityCommand(): Command {
  const command = new Command('similarity').description(
    'Measure how far the residual stream turns across every block of layers, and name the best block to remove.',
  )
  return addDatasetFlags(addModelFlags(command))
    .requiredOption(
      '--layers-to-skip <n>',
      'size of the block to find, 1 to the number of layers - 1',
      wholeNumber(1),
    )
    .option(
      '--tokens <which>',
      'compare the last token of each text, as the paper does, all, or tail:K, the last K (default: last, with --until tail:32)',
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
    .option(
      '--shard <i/N>',
      'measure every Nth text from the ith on; layerprune merge merges the parts',
      shard,
    )
    .option(
      '--max-memory <size>',
      'run the model in segments of layers to stay within this memory, for example 4GB',
      memorySize,
    )
    .option('--resume', 'continue a run with the same flags that was stopped or killed')
    .option(
      '--verify <k>',
      'check the k best blocks by perplexity on other texts, and recommend by that',
      wholeNumber(1),
    )
    .option(
      '--verify-size <n>',
      'with --verify: texts for that, after those of --dataset-size',
      wholeNumber(1),
      32,
    )
    .option('--output <folder>', 'where results are written', 'layerprune-output')
    .option(
      '--plot <file>',
      'draw the heat map of blocks of every size to this file too, SVG or PNG by its name; repeatable',
      (path, before: string[] = []) => [...before, path],
    )
    .option('--heatmap', 'show the blocks of every size in the report')
    .option('--json', 'print the result as JSON')
    .option('--verbose', 'report at the end how close the run came to the peak of the machine')
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText(
      'after',
      `
Writes similarity.json, layer_distances.csv, distances.svg and slice.yaml to the output folder, and while it runs
similarity.partial.json, from which --resume continues.
--until takes texts from the start of the dataset, which should be in no particular order, or be given --shuffle.
With --verify the slice YAML and a plan.json are of the block that perplexity recommends, which --from takes too.
Models and datasets of the Hub: HF_TOKEN, HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_HUB_OFFLINE and HTTPS_PROXY are
read as Python reads them. A network that fails is tried again for 2 minutes (LAYERPRUNE_RETRY_SECONDS).
PruneMe's spellings work too: --model_path, --dataset_column, --batch_size, ...

Examples:
  layerprune similarity --model ./SmolLM2-135M --dataset texts.jsonl --layers-to-skip 8
  layerprune similarity --model HuggingFaceTB/SmolLM2-135M --dataset arcee-ai/sec-data-mini --dataset-size 400 --layers-to-skip 8
  layerprune similarity --model ./SmolLM2-135M --dataset corpus/ --dataset-size 400 --layers-to-skip 4 --tokens all
  layerprune similarity --model ./SmolLM2-135M --dataset texts.jsonl --layers-to-skip 8 --metric angular,cosine,euclidean
  layerprune similarity --model ./SmolLM2-135M --dataset texts.parquet --layers-to-skip 8 --dtype q8 --json > result.json
  layerprune similarity --model ./SmolLM2-135M --dataset texts.jsonl --layers-to-skip 8 --until 0.99
  layerprune similarity --model ./SmolLM2-135M --dataset texts.jsonl --layers-to-skip 8 --dataset-size 128 --verify 8
  layerprune similarity --model ./SmolLM2-135M --dataset texts.jsonl --layers-to-skip 8 --shard 1/4 --resume
  layerprune similarity --model ./Mistral-7B --dataset texts.jsonl --layers-to-skip 8 --dtype bf16 --max-memory 4GB`,
    )
    .action(runSimilarity)
}

async function runSimilarity(flags: Flags): Promise<void> {
  assertVerifiable(flags)
  const [
    { measureSimilarity },
    { createRunProgress },
    output,
    { ensureWritableFolder, writeFileAtomically },
    { openCheckpointFile },
    { writeResultFiles },
    { showResult },
  ] = await Promise.all([
    import('../similarity/measure.js'),
    import('../terminal/run-progress.js'),
    import('../terminal/output.js'),
    import('../write-files.js'),
    import('./checkpoint-file.js'),
    import('./result-files.js'),
    import('./show-result.js'),
  ])
  const quiet = flags.quiet ?? false
  const { printNote: note } = output
  output.setQuiet(quiet)
  await ensureWritableFolder(flags.output)
  const { assertPlotFile, drawPlot } = await import('../report/plot.js')
  const plots = flags.plot ?? []
  for (const path of plots) assertPlotFile(path)

  const checkpoint = openCheckpointFile(flags.output, flags.shard, output.printWarning)
  const resumeFrom = flags.resume ? await checkpoint.read() : undefined
  if (resumeFrom) {
    note(`going on after the ${formatQuantity(resumeFrom.dataset.samples, 'text')} of ${checkpoint.path}`)
  } else if (flags.resume) {
    note(`there is no ${checkpoint.path} to resume: starting from the beginning`)
  } else if (checkpoint.exists()) {
    note(`${checkpoint.path} of an earlier run will be overwritten; --resume would go on from it`)
  }
  const progress = createRunProgress({ quiet })
  const interruption = listenForInterruption(() =>
    note('stopping after the current batch; press Ctrl-C again to stop at once'),
  )
  let partial: SimilarityResult | undefined
  let roofline: Roofline | undefined
  try {
    const result = await measureSimilarity({
      ...flags,
      metrics: flags.metric,
      column: flags.datasetColumn,
      maxMemoryBytes: flags.maxMemory,
      signal: interruption.signal,
      onProgress: progress.updateTexts,
      onDownload: progress.updateDownload,
      resumeFrom,
      onBatch: (takePartial) => checkpoint.writeSometimes(takePartial),
      onPartialResult: (result) => {
        partial = result
      },
      onRoofline: flags.verbose
        ? (measured) => {
            roofline = measured
          }
        : undefined,
      onNote: note,
    })
    progress.stop()
    if (roofline) note((await import('../terminal/roofline.js')).formatRoofline(roofline))
    if (flags.json) noteSkippedRows(result, note)
    let written = await writeResultFiles(flags.output, result)
    await checkpoint.remove()
    let verified: VerifiedResult = result
    if (flags.verify !== undefined) {
      note(`checking the ${flags.verify} best blocks by perplexity on other texts`)
      verified = { ...result, verification: await verify(flags, flags.verify, result, interruption.signal) }
      written = await writeResultFiles(flags.output, verified)
    }
    for (const path of plots) {
      await writeFileAtomically(path, await drawPlot(result, path, { kind: 'heatmap' }))
    }
    await showResult(verified, flags, written)
  } catch (error) {
    progress.stop()
    if (partial) {
      await checkpoint.write(partial)
      output.printWarning(
        `what was measured so far (${formatQuantity(partial.dataset.samples, 'text')}) is in ${checkpoint.path}, marked partial; --resume goes on from it`,
      )
    }
    throw error
  } finally {
    interruption.stop()
  }
}

/** The texts that blocks are checked on must be other ones than those that the distances are measured on. */
function assertVerifiable({ verify, shard, datasetSize, until, maxMemory }: Flags): void {
  if (verify === undefined) return
  if (shard !== undefined)
    throw new UsageError('--verify checks a whole result, and --shard measures a part of one')
  if (maxMemory !== undefined)
    throw new UsageError('--verify runs the model whole, and --max-memory in segments')
  if (datasetSize === undefined && until === undefined) {
    throw new UsageError('--verify needs texts that the distances are not measured on', {
      hint: 'give --dataset-size: the blocks are checked on the texts after those',
    })
  }
}

async function verify(flags: Flags, count: number, result: SimilarityResult, signal: AbortSignal) {
  const [{ verifyBlocks }, { createRunProgress }] = await Promise.all([
    import('../strategies/verify-blocks.js'),
    import('../terminal/run-progress.js'),
  ])
  const { samples, skipped } = result.dataset
  const progress = createRunProgress({ quiet: flags.quiet ?? false })
  return verifyBlocks({
    ...flags,
    column: flags.datasetColumn,
    signal,
    onProgress: progress.updateTexts,
    distances: result.distances,
    count,
    // at least as many as were read
    calibrationTexts: flags.datasetSize ?? samples + skipped.empty,
    verificationTexts: flags.verifySize,
  }).finally(() => progress.stop())
}

function noteSkippedRows({ dataset }: SimilarityResult, note: (message: string) => void): void {
  const { empty, notText } = dataset.skipped
  if (empty + notText > 0)
    note(`passed over ${formatQuantity(empty + notText, 'row')}: ${empty} empty, ${notText} without text`)
}
