import { Command } from 'commander'
import { UsageError } from '../errors.js'
import type { SliceConfigOptions } from '../mergekit.js'
import { wholeNumber } from './arguments.js'
import { checkOutputFile } from './output-file.js'
import { addRemovalFlags, planRemoval, type RemovalFlags, readRemoval } from './removal.js'

interface Flags extends RemovalFlags {
  model?: string
  numLayers?: number
  output?: string
}

export function makeSliceConfigCommand(): Command {
  const command = new Command('slice-config').description(
    'Write the mergekit YAML that removes blocks of layers, from a saved result, a plan or explicit ranges.',
  )
  return addRemovalFlags(command)
    .option(
      '--model <id>',
      'folder or Hub id for the YAML; with --from and --plan it replaces the name that the file has',
    )
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
  layerprune slice-config --model meta-llama/Meta-Llama-3-8B --drop 21..28 --num-layers 32
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
  await checkOutputFile(flags.output, [flags.from, ...(flags.plan ?? [])])
  const yaml = formatSliceConfig(await readOptions(flags))
  if (flags.output === undefined) await output.printResult(yaml)
  else await writeFileAtomically(flags.output, yaml)
}

async function readOptions(flags: Flags): Promise<SliceConfigOptions> {
  const removal = await readRemoval(flags)
  const { origin } = removal
  const model = flags.model ?? origin?.model
  if (model === undefined)
    throw new UsageError('the model is not named: give --model, or a file that names it')
  if (origin !== undefined && flags.numLayers !== undefined) {
    throw new UsageError(`--num-layers ${flags.numLayers}: ${origin.file} says how many layers there are`)
  }
  const config = await readLocalConfig(model)
  if (flags.numLayers !== undefined && config !== undefined && flags.numLayers !== config.layers) {
    throw new UsageError(`--num-layers ${flags.numLayers}: ${model} has ${config.layers} layers`)
  }
  const layers = config?.layers ?? flags.numLayers ?? origin?.layers
  if (layers === undefined) {
    throw new UsageError(`${model} is no folder here, so its number of layers is not known`, {
      hint: 'give --num-layers',
    })
  }
  const { removed } = await planRemoval(removal, { id: model, layers })
  const revision = flags.model === undefined ? origin?.revision : undefined
  return { model, revision, layers, removed, dtype: origin?.storedDtype ?? config?.storedDtype ?? null }
}

async function readLocalConfig(model: string) {
  const [{ existsSync }, { readModelConfig }] = await Promise.all([
    import('node:fs'),
    import('../checkpoint/config.js'),
  ])
  return existsSync(model) ? readModelConfig(model) : undefined
}
