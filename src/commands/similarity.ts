import { Command, Option } from 'commander'
import { DTYPES, type Dtype } from '../checkpoint/onnx-files.js'
import { UsageError } from '../errors.js'
import { DEVICES, type Device } from '../runtime/device.js'
import type { SimilarityResult, TokenSelection } from '../similarity/result.js'
import { wholeNumber } from './arguments.js'

interface Flags {
  model: string
  modelFile?: string
  dataset: string[]
  datasetConfig?: string
  datasetSubset: string
  datasetColumn: string
  datasetSize?: number
  textLines?: boolean
  batchSize: number
  maxLength?: number
  layersToSkip: number
  tokens: TokenSelection
  dtype?: Dtype
  device: Device
  threads?: number
  output: string
  json?: boolean
  quiet?: boolean
}

export function makeSimilarityCommand(): Command {
  return new Command('similarity')
    .description(
      'Measure how far the residual stream turns across every block of layers, and name the best block to remove.',
    )
    .requiredOption('--model <folder>', 'folder with config.json, the tokenizer and the weights')
    .requiredOption(
      '--dataset <path...>',
      'jsonl, json, csv, tsv, txt, md, parquet (and .gz of all but parquet), or folders of them',
    )
    .requiredOption(
      '--layers-to-skip <n>',
      'size of the block to find, 1 to the number of layers - 1',
      wholeNumber(1),
    )
    .option('--model-file <file>', 'graph inside the model folder, for example onnx/model_plain.onnx')
    .addOption(
      new Option('--dtype <name>', 'precision to read (default: the best one present)').choices(DTYPES),
    )
    .option('--dataset-column <name>', 'column that holds the text', 'text')
    .option('--dataset-size <n>', 'use the first n texts (default: all)', wholeNumber(1))
    .option('--dataset-config <name>', 'configuration of a dataset that has several')
    .option('--dataset-subset <name>', 'split; files on disk are the split train', 'train')
    .option('--text-lines', 'plain text files hold a document a line, not one a file')
    .option('--batch-size <n>', 'texts run at once', wholeNumber(1), 8)
    .option(
      '--max-length <n>',
      'tokens read of each text (default: 1024, or what the model takes)',
      wholeNumber(1),
    )
    .addOption(
      new Option('--tokens <which>', 'compare the last token of each text, as the paper does, or all of them')
        .choices(['last', 'all'])
        .default('last'),
    )
    .addOption(new Option('--device <name>', 'where the model runs').choices(DEVICES).default('cpu'))
    .option('--threads <n>', 'threads (default: one for each physical core)', wholeNumber(1))
    .option('--output <folder>', 'where results are written', 'layerprune-output')
    .option('--json', 'print the result as JSON')
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText(
      'after',
      `
Writes similarity.json, layer_distances.csv, distances.svg and slice.yaml to the output folder.
PruneMe's spellings work too: --model_path, --dataset_column, --batch_size, ...

Examples:
  layerprune similarity --model ./SmolLM2-135M --dataset texts.jsonl --layers-to-skip 8
  layerprune similarity --model ./SmolLM2-135M --dataset corpus/ --dataset-size 400 --layers-to-skip 4 --tokens all
  layerprune similarity --model ./SmolLM2-135M --dataset texts.parquet --layers-to-skip 8 --dtype q8 --json > result.json`,
    )
    .action(runSimilarity)
}

async function runSimilarity(flags: Flags): Promise<void> {
  assertFilesOnDisk(flags)
  const [
    { measureSimilarity },
    { formatSummary },
    { createProgress },
    { wantsColor },
    output,
    { ensureWritableFolder },
  ] = await Promise.all([
    import('../similarity/measure.js'),
    import('../terminal/summary.js'),
    import('../terminal/progress.js'),
    import('../terminal/color.js'),
    import('../terminal/output.js'),
    import('../write-files.js'),
  ])
  const quiet = flags.quiet ?? false
  const { printNote: note } = output
  output.setQuiet(quiet)
  await ensureWritableFolder(flags.output)

  const progress = createProgress({ quiet })
  const interruption = listenForInterruption(() =>
    note('stopping after the current batch; press Ctrl-C again to stop at once'),
  )
  let partial: SimilarityResult | undefined
  try {
    const result = await measureSimilarity({
      ...flags,
      column: flags.datasetColumn,
      signal: interruption.signal,
      onProgress: ({ texts, total }) => progress.update(texts, total),
      onPartialResult: (result) => {
        partial = result
      },
      onNote: note,
    })
    progress.stop()
    if (flags.json) noteSkippedRows(result, note)
    await writeResultFiles(flags.output, result)
    await output.printResult(
      flags.json
        ? JSON.stringify(result, null, 2)
        : formatSummary(result, { width: output.widthOf(process.stdout), color: wantsColor(process.stdout) }),
    )
    note(`wrote similarity.json, layer_distances.csv, distances.svg and slice.yaml to ${flags.output}`)
  } catch (error) {
    progress.stop()
    if (partial) {
      const path = await writePartialResult(flags.output, partial)
      output.printWarning(
        `what was measured so far (${partial.dataset.samples} texts) is in ${path}, marked partial`,
      )
    }
    throw error
  } finally {
    interruption.stop()
  }
}

/** Files on disk have no configurations, and all of them are one split. */
function assertFilesOnDisk({ datasetConfig, datasetSubset, dataset }: Flags): void {
  if (datasetConfig !== undefined) {
    throw new UsageError(
      `--dataset-config ${datasetConfig}: files on disk (${dataset.join(', ')}) have no configurations`,
    )
  }
  if (datasetSubset !== 'train') {
    throw new UsageError(
      `--dataset-subset ${datasetSubset}: files on disk (${dataset.join(', ')}) are the split train`,
      {
        hint: 'name the files of the split you want with --dataset',
      },
    )
  }
}

/** Aborts a signal on the first SIGINT or SIGTERM; the second ends the process as usual. */
function listenForInterruption(onInterrupt: () => void): { signal: AbortSignal; stop: () => void } {
  const controller = new AbortController()
  const stop = () => {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
  const interrupt = () => {
    stop()
    onInterrupt()
    controller.abort()
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  return { signal: controller.signal, stop }
}

function noteSkippedRows({ dataset }: SimilarityResult, note: (message: string) => void): void {
  const { empty, notText } = dataset.skipped
  if (empty + notText > 0)
    note(`passed over ${empty + notText} rows: ${empty} empty, ${notText} without text`)
}

async function writeResultFiles(folder: string, result: SimilarityResult): Promise<void> {
  const [{ writeFilesAtomically }, { formatDistancesCsv }, { drawDistanceCurve }, { formatSliceConfig }] =
    await Promise.all([
      import('../write-files.js'),
      import('../report/csv.js'),
      import('../report/curve-svg.js'),
      import('../mergekit.js'),
    ])
  await writeFilesAtomically(folder, {
    'similarity.json': `${JSON.stringify(result, null, 2)}\n`,
    'layer_distances.csv': formatDistancesCsv(result.blocks),
    'distances.svg': drawDistanceCurve(result),
    'slice.yaml': formatSliceConfig({
      model: result.model.id,
      layers: result.model.layers,
      removed: [result.best],
      dtype: result.model.checkpointDtype,
    }),
  })
}

async function writePartialResult(folder: string, partial: SimilarityResult): Promise<string> {
  const [{ writeFilesAtomically }, { join }] = await Promise.all([
    import('../write-files.js'),
    import('node:path'),
  ])
  await writeFilesAtomically(folder, { 'similarity.partial.json': `${JSON.stringify(partial, null, 2)}\n` })
  return join(folder, 'similarity.partial.json')
}
