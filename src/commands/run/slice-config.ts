import { existsSync } from 'node:fs'
import { readModelConfig } from '../../checkpoint/config.js'
import { UsageError } from '../../errors.js'
import { formatSliceConfig, type SliceConfigOptions } from '../../mergekit.js'
import { printResult } from '../../terminal/output.js'
import { writeFileAtomically } from '../../write-files.js'
import type { SliceConfigFlags } from '../slice-config.js'
import { checkOutputFile } from './output-file.js'
import { planRemoval, readRemoval } from './removal.js'

export async function run(flags: SliceConfigFlags): Promise<void> {
  const { output, from, plan = [] } = flags
  await checkOutputFile(output, [from, ...plan])
  const yaml = formatSliceConfig(await readOptions(flags))
  if (output === undefined) await printResult(yaml)
  else await writeFileAtomically(output, yaml)
}

async function readOptions(flags: SliceConfigFlags): Promise<SliceConfigOptions> {
  const removal = await readRemoval(flags)
  const { origin } = removal
  const model = flags.model ?? origin?.model
  if (model === undefined)
    throw new UsageError('the model is not named: give --model, or a file that names it')
  if (origin !== undefined && flags.numLayers !== undefined) {
    throw new UsageError(`--num-layers ${flags.numLayers}: ${origin.file} says how many layers there are`)
  }
  const config = existsSync(model) ? await readModelConfig(model) : undefined
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
