import { UsageError } from '../base/errors.js'
import { formatYaml } from '../base/yaml.js'
import type { Block } from '../model/layers/block.js'
import { keptSlices } from '../model/layers/blocks.js'
import { describeLayers } from '../model/layers/names.js'

/** The only types mergekit writes a merged model in. */
const MERGE_DTYPES = ['float16', 'bfloat16', 'float32']

export interface SliceConfigOptions {
  /** Hub id or folder, as mergekit will look it up. */
  model: string
  /** Branch, tag or commit of a Hub model. */
  revision?: string | undefined
  /** Layers of the whole model. */
  layers: number
  /** Blocks to remove, in any order. */
  removed: Block[]
  /** float16, bfloat16 or float32; null keeps what the checkpoint stores. */
  dtype: string | null
  /** Why mergekit cannot make the cut, if that is known, for a comment in the YAML. */
  problem?: string | undefined
}

/**
 * mergekit YAML that removes blocks of layers from a model: a passthrough merge of the slices that are kept,
 * `layer_range` half-open and 0-based. A path or revision that contains `@` or `+` is written as a nested mapping,
 * because in a plain string mergekit reads these as revision and adapter.
 * @throws UsageError for ranges that `keptSlices` refuses, no block at all, and an unknown dtype
 */
export function formatSliceConfig(options: SliceConfigOptions): string {
  const { model, revision, layers, removed, dtype } = options
  if (model === '') throw new UsageError('the model for the slice config is an empty string')
  if (removed.length === 0) throw new UsageError('no block to remove for the slice config')
  if (dtype !== null && !MERGE_DTYPES.includes(dtype)) {
    throw new UsageError(`dtype '${dtype}' cannot be merged: expected ${MERGE_DTYPES.join(', ')}`)
  }
  const slices = keptSlices(layers, removed).map(({ start, end }) => ({
    sources: [{ model: modelReference(model, revision), layer_range: [start, end] }],
  }))
  return formatYaml(
    { slices, merge_method: 'passthrough', ...(dtype === null ? {} : { dtype }) },
    { comment: describeConfig(options), onOneLine: ['layer_range', 'model'] },
  )
}

function modelReference(model: string, revision: string | undefined) {
  if (/[@+]/.test(model) || (revision !== undefined && /[@+]/.test(revision))) {
    return { model: { path: model, ...(revision === undefined ? {} : { revision }) } }
  }
  return revision === undefined ? model : `${model}@${revision}`
}

function describeConfig({ layers, removed, revision, problem }: SliceConfigOptions): string[] {
  return [
    `layerprune: removes ${describeLayers(layers, removed)}`,
    ...(problem === undefined ? [] : [problem, 'layerprune prune makes this cut']),
    ...(revision === undefined
      ? []
      : [
          'mergekit 0.1.5 reads the config at this revision but downloads the weights of the default branch:',
          'name a folder with the snapshot instead if they differ',
        ]),
  ]
}
