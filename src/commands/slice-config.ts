import { Command } from 'commander'
import { UsageError } from '../errors.js'
import type { SliceConfigOptions } from '../mergekit.js'
import { wholeNumber } from './arguments.js'

interface Flags {
  from?: string
  layersToSkip?: number
  model?: string
  start?: number
  end?: number
  numLayers?: number
  output?: string
}

export function makeSliceConfigCommand(): Command {
  return new Command('slice-config')
    .description(
      'Write the mergekit YAML that removes a block of layers, from a saved result or an explicit range.',
    )
    .option('--from <file>', 'similarity.json with the distances; takes its best block')
    .option(
      '--layers-to-skip <n>',
      'with --from: size of the block (default: that of the saved run)',
      wholeNumber(1),
    )
    .option(
      '--model <id>',
      'folder or Hub id for the YAML; with --from it replaces the name of the measured model',
    )
    .option('--start <layer>', 'first layer that goes, 0-based', wholeNumber(0))
    .option('--end <layer>', 'first layer after it that stays, 0-based', wholeNumber(1))
    .option(
      '--num-layers <n>',
      "layers of the whole model (default: what the model folder's config.json says)",
      wholeNumber(1),
    )
    .option('-o, --output <file>', 'write to a file (default: standard output)')
    .addHelpText(
      'after',
      `
Examples:
  layerprune slice-config --from layerprune-output/similarity.json
  layerprune slice-config --from layerprune-output/similarity.json --layers-to-skip 4 -o slice.yaml
  layerprune slice-config --model meta-llama/Meta-Llama-3-8B --start 21 --end 29 --num-layers 32`,
    )
    .action(runSliceConfig)
}

async function runSliceConfig(flags: Flags): Promise<void> {
  const [{ formatSliceConfig }, { writeFileAtomically }, output] = await Promise.all([
    import('../mergekit.js'),
    import('../write-files.js'),
    import('../terminal/output.js'),
  ])
  const yaml = formatSliceConfig(
    flags.from === undefined ? await fromRange(flags) : await fromResult(flags, flags.from),
  )
  if (flags.output === undefined) await output.printResult(yaml)
  else await writeFileAtomically(flags.output, yaml)
}

async function fromResult(
  { layersToSkip, model, start, end, numLayers }: Flags,
  path: string,
): Promise<SliceConfigOptions> {
  if (start !== undefined || end !== undefined || numLayers !== undefined) {
    throw new UsageError(
      '--from takes its block from the saved distances; --start, --end and --num-layers do not go with it',
    )
  }
  const { readSimilarityResult } = await import('../similarity/saved-result.js')
  const { findBestBlock } = await import('../similarity/blocks.js')
  const saved = await readSimilarityResult(path)
  const { layers } = saved.model
  const n = layersToSkip ?? saved.layersToSkip
  if (n >= layers)
    throw new UsageError(
      `--layers-to-skip must be 1 to ${layers - 1} for a model of ${layers} layers, found ${n}`,
    )
  if (saved.partial) {
    const { printWarning } = await import('../terminal/output.js')
    printWarning(`${path} is of an interrupted run`)
  }
  return {
    model: model ?? saved.model.id,
    layers,
    removed: [findBestBlock(saved.distances, n)],
    dtype: saved.model.checkpointDtype ?? null,
  }
}

async function fromRange({ model, start, end, numLayers, layersToSkip }: Flags): Promise<SliceConfigOptions> {
  if (model === undefined || start === undefined || end === undefined) {
    throw new UsageError('a block is needed: --from FILE, or --model ID --start LAYER --end LAYER')
  }
  if (layersToSkip !== undefined)
    throw new UsageError('--layers-to-skip goes with --from; here --start and --end name the block')
  const config = await readLocalConfig(model)
  if (numLayers !== undefined && config !== undefined && numLayers !== config.layers) {
    throw new UsageError(`--num-layers ${numLayers}: ${model} has ${config.layers} layers`)
  }
  const layers = numLayers ?? config?.layers
  if (layers === undefined) {
    throw new UsageError(`${model} is no folder here, so its number of layers is not known`, {
      hint: 'give --num-layers',
    })
  }
  return { model, layers, removed: [{ start, end }], dtype: config?.storedDtype ?? null }
}

async function readLocalConfig(model: string) {
  const [{ existsSync }, { readModelConfig }] = await Promise.all([
    import('node:fs'),
    import('../checkpoint/config.js'),
  ])
  return existsSync(model) ? readModelConfig(model) : undefined
}
