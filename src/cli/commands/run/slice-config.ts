import { existsSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { UsageError } from '../../../base/errors.js'
import { quoteForShell } from '../../../base/quote-for-shell.js'
import { writeFileAtomically } from '../../../base/write-files.js'
import { isGguf } from '../../../files/checkpoint/gguf-names.js'
import { readModelName } from '../../../files/checkpoint/model-source.js'
import { readLocalConfig } from '../../../jobs/library/local-config.js'
import { readMergekitProblem } from '../../../jobs/library/mergekit-problem.js'
import { keepLayers } from '../../../jobs/write-model/layer-numbers.js'
import { formatLlamaQuantize } from '../../../results/llama-quantize.js'
import { formatSliceConfig, type SliceConfigOptions } from '../../../results/mergekit.js'
import { printNote, printResult, printWarning, setQuiet } from '../../terminal/output.js'
import type { RemovalFlags } from '../removal-flags.js'
import { prepareOutputFile } from './output-file.js'
import { listSavedFiles, planRemoval, readRemoval } from './removal.js'

export interface SliceConfigFlags extends RemovalFlags {
  model?: string
  numLayers?: number
  format: 'mergekit' | 'llama-quantize'
  output?: string
  quiet?: boolean
}

export async function run(flags: SliceConfigFlags): Promise<void> {
  const { output, quiet = false } = flags
  setQuiet(quiet)
  await prepareOutputFile(output, listSavedFiles(flags))
  const { family, ...options } = await readOptions(flags)
  if (flags.format === 'llama-quantize') return writeLlamaQuantize(options, output)
  const problem = await readMergekitProblem({ ...options, family })
  if (problem !== undefined) printWarning(`${problem}: make the cut with layerprune prune instead`)
  const yaml = formatSliceConfig({ ...options, problem })
  if (output === undefined) return printResult(yaml)
  await writeFileAtomically(output, yaml)
  const merged = `${basename(resolve(options.model))}-merged`
  const next = ['mergekit-yaml', output, merged].map(quoteForShell).join(' ')
  printNote(`wrote ${output}${problem === undefined ? `; to make the cut: ${next}` : ''}`)
}

/**
 * @throws UsageError if the model is no GGUF file
 */
async function writeLlamaQuantize(
  { model, layers, removed }: SliceConfigOptions,
  output: string | undefined,
): Promise<void> {
  const [{ locateModel }, { findLlamaQuantizeProblem }] = await Promise.all([
    import('../../../engine/model.js'),
    import('../../../jobs/prune/gguf/pruned-gguf.js'),
  ])
  const located = existsSync(model) ? await locateModel({ model }) : undefined
  const file = located?.gguf === undefined ? model : join(located.folder, located.gguf.name)
  if (!isGguf(file)) {
    throw new UsageError(`--format llama-quantize: ${model} is not a GGUF file`, {
      hint: 'name the file with --model',
    })
  }
  const command = formatLlamaQuantize({ file: isGguf(model) ? model : file, layers, removed })
  const problem = located && findLlamaQuantizeProblem(located, keepLayers(layers, removed))
  if (problem !== undefined) printWarning(`${problem}: make the cut with layerprune prune instead`)
  if (output === undefined) return printResult(command)
  await writeFileAtomically(output, command)
  printNote(`wrote ${output}`)
}

/** @returns the options, and the model's `model_type` if a saved file records it */
async function readOptions(flags: SliceConfigFlags): Promise<SliceConfigOptions & { family: string | undefined }> {
  const removal = await readRemoval(flags)
  const { origin } = removal
  const named = flags.model ?? origin?.model
  if (named === undefined) throw new UsageError('the model is not named: give --model, or a file that names it')
  const { model, revision: stated } = readModelName({ model: named })
  if (origin !== undefined && flags.numLayers !== undefined) {
    throw new UsageError(`--num-layers ${flags.numLayers}: ${origin.file} says how many layers there are`)
  }
  const config = await readLocalConfig(model)
  if (flags.numLayers !== undefined && config !== undefined && flags.numLayers !== config.layers) {
    throw new UsageError(`--num-layers ${flags.numLayers}: ${model} has ${config.layers} layers`)
  }
  const layers = config?.layers ?? flags.numLayers ?? origin?.layers
  if (layers === undefined) {
    throw new UsageError(`${model} is not a local folder, so its number of layers is not known`, {
      hint: 'give --num-layers',
    })
  }
  const { removed } = await planRemoval(removal, { id: model, layers })
  const revision = flags.model === undefined ? origin?.revision : stated
  return {
    model,
    revision,
    layers,
    removed,
    dtype: origin?.storedDtype ?? config?.storedDtype ?? null,
    family: origin?.family,
  }
}
