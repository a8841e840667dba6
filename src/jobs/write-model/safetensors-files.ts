import { readFile } from 'node:fs/promises'
import { LayerpruneError, UsageError } from '../../base/errors.js'
import type { SafetensorsCheckpoint, TensorLocation } from '../../files/checkpoint/safetensors.js'
import { encodeFloats } from '../../files/weights/encode-floats.js'
import { encodeHeader } from '../../files/weights/encode-header.js'
import type { Replacement } from '../../files/weights/replacement.js'
import { type KeptLayers, renumber } from './layer-numbers.js'
import { type PlannedFile, textFile } from './planned-file.js'

const WHOLE_FILE = 'model.safetensors'
const INDEX_FILE = `${WHOLE_FILE}.index.json`

/** A tensor of the pruned model and the one that it was. */
export interface KeptTensor {
  name: string
  source: TensorLocation
  /** The axis that has a part for each layer, of which those of removed layers are omitted. */
  perLayer?: { axis: 0 | 1; layers: KeptLayers }
}

/** Tensors outside the layers that have a part for each of them: Gemma 4's second embedding and its projection. */
const PER_LAYER = [
  { name: /(^|\.)embed_tokens_per_layer\.weight$/, axis: 1 as const },
  { name: /(^|\.)per_layer_model_projection\.weight$/, axis: 0 as const },
]

/** The kept tensors under their names in the pruned model, in order; names in layers start with `prefix`. */
export function keepTensors({ tensors }: SafetensorsCheckpoint, prefix: string, layers: KeptLayers): KeptTensor[] {
  return [...tensors.values()].flatMap((source) => {
    const name = renumber(source.name, prefix, layers)
    if (name === undefined) return []
    const found = PER_LAYER.find((tensor) => tensor.name.test(name))
    return [{ name, source, ...(found && { perLayer: { axis: found.axis, layers } }) }]
  })
}

/** Shape and size of a tensor in the pruned model. */
export function measureKept({ source, perLayer }: KeptTensor): { shape: number[]; sizeBytes: number } {
  const { shape, sizeBytes } = source
  if (perLayer === undefined) return { shape, sizeBytes }
  const { axis, layers } = perLayer
  const [whole, kept] = [layers.whole, layers.kept.length]
  if (shape.length !== 2 || shape[axis]! % whole !== 0) {
    throw new LayerpruneError(
      `tensor ${source.name} has the shape [${shape.join(', ')}], expected axis ${axis} to have a part for each of ${whole} layers`,
      { hint: 'take config.json and weights from the same model' },
    )
  }
  return { shape: shape.with(axis, (shape[axis]! / whole) * kept), sizeBytes: (sizeBytes / whole) * kept }
}

/** The bytes of a tensor, without the parts of removed layers. */
function bytesOf(tensor: KeptTensor): PlannedFile['parts'][number] {
  const { source, perLayer } = tensor
  if (perLayer === undefined) return source
  const { axis, layers } = perLayer
  const rows = axis === 0 ? 1 : source.shape[0]!
  const rowBytes = source.sizeBytes / rows
  const partBytes = rowBytes / layers.whole
  return {
    file: source.file,
    rowsFromByte: source.offsetBytes,
    rowBytes,
    rows,
    kept: layers.kept.map((layer) => [layer * partBytes, (layer + 1) * partBytes]),
    sizeBytes: measureKept(tensor).sizeBytes,
  }
}

/**
 * The files of a pruned checkpoint: its shards without the removed tensors, empty shards
 * dropped and the others renumbered, with their index; one file if one is left. Bytes are copied; only
 * replacements are converted.
 * @param replacements by the names of the whole model
 * @throws UsageError if a replaced tensor is not kept, or has another shape
 */
export async function planSafetensors(
  checkpoint: SafetensorsCheckpoint,
  kept: KeptTensor[],
  replacements: ReadonlyMap<string, Replacement> = new Map(),
): Promise<PlannedFile[]> {
  checkReplacements(kept, replacements)
  const groups = checkpoint.files
    .map((file) => kept.filter(({ source }) => source.file === file))
    .filter((tensors) => tensors.length > 0)
  const names = groups.map((_, index) => nameShard(index, groups.length))
  const files = groups.map((tensors, index) => planFile(names[index]!, tensors, checkpoint.metadata, replacements))
  if (files.length === 1) return files
  return [...files, textFile(INDEX_FILE, await formatIndex(checkpoint, groups, names))]
}

function nameShard(index: number, count: number): string {
  if (count === 1) return WHOLE_FILE
  const [number, total] = [index + 1, count].map((value) => `${value}`.padStart(5, '0'))
  return `model-${number}-of-${total}.safetensors`
}

function planFile(
  name: string,
  tensors: KeptTensor[],
  metadata: Record<string, string>,
  replacements: ReadonlyMap<string, Replacement>,
): PlannedFile {
  const header: Record<string, object> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {}
  let offset = 0
  for (const tensor of tensors) {
    const { name, source } = tensor
    const { dtype } = source
    const { shape, sizeBytes } = measureKept(tensor)
    header[name] = { dtype, shape, data_offsets: [offset, offset + sizeBytes] }
    offset += sizeBytes
  }
  const parts = tensors.map((tensor) => {
    const { source } = tensor
    const replacement = replacements.get(source.name)
    if (replacement === undefined) return bytesOf(tensor)
    return { sizeBytes: source.sizeBytes, make: () => encodeFloats(replacement.data, source) }
  })
  return { name, parts: [encodeHeader(header), ...parts] }
}

/** The index of the whole model with its own keys, sizes recomputed. */
async function formatIndex(
  { tensors, index: path }: SafetensorsCheckpoint,
  groups: KeptTensor[][],
  names: string[],
): Promise<string> {
  const index = JSON.parse(await readFile(path!, 'utf8'))
  const kept = groups.flat().map(measureKept)
  const metadata = { ...index.metadata, total_size: kept.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) }
  if (typeof metadata.total_parameters === 'number') {
    metadata.total_parameters += countElements(kept) - countElements([...tensors.values()])
  }
  const shardOf = groups.flatMap((tensors, index) => tensors.map(({ name }) => [name, names[index]!]))
  const weightMap = Object.fromEntries(shardOf)
  return `${JSON.stringify({ ...index, metadata, weight_map: weightMap }, null, 2)}\n`
}

export function countElements(tensors: Pick<TensorLocation, 'shape'>[]): number {
  return tensors.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0)
}

function checkReplacements(kept: KeptTensor[], replacements: ReadonlyMap<string, Replacement>): void {
  for (const [name, { shape, data }] of replacements) {
    const source = kept.find((tensor) => tensor.source.name === name)?.source
    if (source === undefined) throw new UsageError(`replaced tensor ${name} is not among those kept`)
    const elements = shape.reduce((product, size) => product * size, 1)
    if (`${shape}` !== `${source.shape}` || elements !== data.length) {
      throw new UsageError(
        `replaced tensor ${name} has the shape [${source.shape.join(', ')}], not [${shape.join(', ')}] of ${data.length} values`,
      )
    }
  }
}
