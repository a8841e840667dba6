import type { GgufHeader } from '../../../files/gguf/header.js'
import type { MetadataEntry, Scalar } from '../../../files/gguf/metadata-values.js'
import type { KeptLayers } from '../../write-model/layer-numbers.js'
import type { MetadataEdit } from './encode-header.js'

/** Counts of layers from the first on that are unlike the others. */
const LEADING_COUNTS = ['leading_dense_block_count']
/** Lists with a number for each part of a head, whose length may equal the layer count. */
const NOT_PER_LAYER = /^rope\./

/**
 * What the metadata of one architecture become for the kept layers: the number of blocks, every list with a number or
 * flag for each of them, and counts of leading layers. Whether that is all they need is for the caller to find out.
 * @param layers with those for predicting several tokens, if the file counts them
 */
export function cutMetadata(header: GgufHeader, { whole, kept }: KeptLayers): Map<string, MetadataEdit> {
  const start = `${nameArchitecture(header)}.`
  const edits = new Map<string, MetadataEdit>()
  for (const [key, entry] of header.metadata) {
    if (!key.startsWith(start)) continue
    const name = key.slice(start.length)
    if (name === 'block_count') edits.set(key, { kind: 'value', value: kept.length })
    else if (LEADING_COUNTS.includes(name) && typeof entry.value === 'number') {
      const { value } = entry
      edits.set(key, { kind: 'value', value: kept.filter((layer) => layer < value).length })
    } else if (isPerLayer(name, entry, whole)) edits.set(key, { kind: 'elements', kept })
  }
  return edits
}

function isPerLayer(name: string, { elementType, count }: MetadataEntry, whole: number): boolean {
  return elementType !== null && elementType !== 'string' && count === whole && !NOT_PER_LAYER.test(name)
}

/** The architecture as llama.cpp calls it. */
export function nameArchitecture({ metadata }: GgufHeader): string {
  return String(metadata.get('general.architecture')?.value)
}

/** Layers that a file counts, with those for predicting several tokens. */
export function countBlocks(header: GgufHeader): number {
  return Number(header.metadata.get(`${nameArchitecture(header)}.block_count`)?.value)
}

/** The header as it will be read again. */
export function applyEdits(header: GgufHeader, edits: ReadonlyMap<string, MetadataEdit>): GgufHeader {
  const metadata = new Map(header.metadata)
  for (const [key, edit] of edits) {
    const entry = metadata.get(key)!
    if (edit.kind === 'value') metadata.set(key, { ...entry, value: edit.value })
    else {
      const elements = entry.value as Scalar[]
      metadata.set(key, {
        ...entry,
        value: edit.kept.map((index) => elements[index]!),
        count: edit.kept.length,
      })
    }
  }
  return { ...header, metadata }
}
