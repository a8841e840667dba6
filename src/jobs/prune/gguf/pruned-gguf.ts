import { LayerpruneError } from '../../../base/errors.js'
import { interpretGguf, type LocatedGguf, type LocatedModel } from '../../../engine/model.js'
import { describeCheckpoint } from '../../../files/gguf/checkpoint.js'
import { readGgufDecoder } from '../../../files/gguf/config.js'
import type { GgufFile } from '../../../files/gguf/gguf-file.js'
import type { Replacement } from '../../../files/weights/replacement.js'
import { describeDecoder } from '../../../model/builder/build-decoder.js'
import type { Decoder } from '../../../model/families/describe/description.js'
import { type KeptLayers, keepExtraLayers, renumber } from '../../write-model/layer-numbers.js'
import { type PlannedModel, sumPlanned, sumSizes } from '../../write-model/planned-file.js'
import { countElements } from '../../write-model/safetensors-files.js'
import { findDecoderDifference } from '../compare-layers.js'
import { applyEdits, countBlocks, cutMetadata, nameArchitecture } from './cut-metadata.js'
import type { MetadataEdit } from './encode-header.js'
import { type KeptGgufTensor, planGgufParts } from './gguf-parts.js'
import { placeReplacements } from './place-replacements.js'

const LAYERS = 'blk.'

/**
 * The files of a GGUF model without some of its layers: every number of a kept tensor, the tokenizer and all other
 * metadata are copied as they are. What the new metadata let the decoder compute is read again and held against the
 * whole model's layers.
 * @throws LayerpruneError if the metadata have no way to say what the kept layers need
 */
export async function planPrunedGguf(
  model: LocatedModel & { gguf: LocatedGguf },
  layers: KeptLayers,
  replacements: ReadonlyMap<string, Replacement> = new Map(),
): Promise<PlannedModel> {
  const { gguf } = model
  const { file, decoder } = gguf
  const { kept, edits, pruned } = cutGguf(file, layers)
  const difference = findDifference(model, pruned, layers)
  if (difference !== undefined) {
    throw new LayerpruneError(
      `a GGUF file of this architecture cannot say what these layers need once others are gone: ${difference}`,
      { hint: 'remove other layers, or prune the safetensors checkpoint of the model' },
    )
  }
  const files = planGgufParts(gguf, kept, edits, placeReplacements(file, decoder, replacements))
  const bytes = {
    whole: await sumSizes(file.headers.map((header) => header.file)),
    pruned: sumPlanned(files),
  }
  const parameters = {
    whole: countElements([...file.tensors.values()]),
    pruned: countElements([...pruned.tensors.values()]),
  }
  return { files, sizes: { parameters, bytes } }
}

/** Why llama-quantize, which edits tensor names and the block count alone, would not make a cut; else undefined. */
export function findLlamaQuantizeProblem({ gguf, ...model }: LocatedModel, layers: KeptLayers): string | undefined {
  if (gguf === undefined) return undefined
  const { edits, pruned } = cutGguf(gguf.file, layers)
  const [more] = [...edits.keys()].filter((key) => !key.endsWith('.block_count'))
  if (more !== undefined) return `llama-quantize keeps ${more} as the whole model has it`
  const difference = findDifference({ ...model, gguf }, pruned, layers)
  return difference && `a GGUF file cannot say what these layers need: ${difference}`
}

interface CutGguf {
  kept: KeptGgufTensor[]
  edits: Map<string, MetadataEdit>
  /** The file as it will be read again. */
  pruned: GgufFile
}

function cutGguf(file: GgufFile, layers: KeptLayers): CutGguf {
  const counted = keepExtraLayers(layers, countBlocks(file.header) - layers.whole)
  const kept = [...file.tensors.values()].flatMap((source): KeptGgufTensor[] => {
    const name = renumber(source.name, LAYERS, counted)
    return name === undefined ? [] : [{ name, source }]
  })
  const edits = cutMetadata(file.header, counted)
  const tensors = new Map(kept.map(({ name, source }) => [name, { ...source, name }]))
  return { kept, edits, pruned: { headers: file.headers, header: applyEdits(file.header, edits), tensors } }
}

/** Describes how the pruned file would be read as a different model. */
function findDifference(
  { config, gguf }: LocatedModel & { gguf: LocatedGguf },
  pruned: GgufFile,
  layers: KeptLayers,
): string | undefined {
  const { ignoredKeys } = config
  const describe = (file: GgufFile): Decoder => {
    const decoder = readGgufDecoder(file)
    const described = {
      ...interpretGguf({ ...gguf, decoder }, gguf.name),
      ...(ignoredKeys && { ignoredKeys }),
    }
    return describeDecoder(described, describeCheckpoint(file, decoder).tensors)
  }
  const { windowsNeedLayers } = gguf.decoder.architecture
  if (windowsNeedLayers === layers.whole) {
    return `llama.cpp gives ${nameArchitecture(gguf.file.header)} its windows only if it has ${windowsNeedLayers} layers`
  }
  const whole = describe(gguf.file)
  const expected = { ...whole, layers: layers.kept.map((layer) => whole.layers[layer]!) }
  try {
    return findDecoderDifference(expected, describe(pruned))
  } catch (error) {
    if (error instanceof LayerpruneError) return error.message
    throw error
  }
}
