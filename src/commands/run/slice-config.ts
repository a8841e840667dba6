import { basename, resolve } from 'node:path'
import { UsageError } from '../../errors.js'
import { formatSliceConfig, type SliceConfigOptions } from '../../mergekit.js'
import { quoteForShell } from '../../quote-for-shell.js'
import { printNote, printResult, printWarning } from '../../terminal/output.js'
import { writeFileAtomically } from '../../write-files.js'
import type { SliceConfigFlags } from '../slice-config.js'
import { readLocalConfig } from './local-config.js'
import { readMergekitProblem } from './mergekit-problem.js'
import { checkOutputFile } from './output-file.js'
import { planRemoval, readRemoval } from './removal.js'

export async function run(flags: SliceConfigFlags): Promise<void> {
  const { output, from, plan = [] } = flags
  await checkOutputFile(output, [from, ...plan])
  const { family, ...options } = await readOptions(flags)
  const problem = await readMergekitProblem({ ...options, family })
  if (problem !== undefined) printWarning(`${problem}: make the cut with layerprune prune instead`)
  const yaml = formatSliceConfig({ ...options, problem })
  if (output === undefined) return printResult(yaml)
  await writeFileAtomically(output, yaml)
  const merged = `${basename(resolve(options.model))}-merged`
  const next = ['mergekit-yaml', output, merged].map(quoteForShell).join(' ')
  printNote(`wrote ${output}${problem === undefined ? `; to make the cut: ${next}` : ''}`)
}

/** @returns the options, and the model's `model_type` if a saved file says it */
async function readOptions(
  flags: SliceConfigFlags,
): Promise<SliceConfigOptions & { family: string | undefined }> {
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
  return {
    model,
    revision,
    layers,
    removed,
    dtype: origin?.storedDtype ?? config?.storedDtype ?? null,
    family: origin?.family,
  }
}
