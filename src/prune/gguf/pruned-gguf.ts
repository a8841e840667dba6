import { describeDecoder } from '../../builder/build-decoder.js'
import { LayerpruneError } from '../../errors.js'
import type { Decoder } from '../../families/description.js'
import { describeCheckpoint } from '../../gguf/checkpoint.js'
import { readGgufDecoder } from '../../gguf/config.js'
import type { GgufFile } from '../../gguf/gguf-file.js'
import { interpretGguf, type LocatedGguf, type LocatedModel } from '../../model.js'
import type { Replacement } from '../../weights/replacement.js'
import { findDecoderDifference } from '../compare-layers.js'
import { type KeptLayers, keepExtraLayers, renumber } from '../layer-numbers.js'
import { type PlannedModel, sumPlanned, sumSizes } from '../planned-file.js'
import { countElements } from '../safetensors-files.js'
import { applyEdits, countBlocks, cutMetadata } from './cut-metadata.js'
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
  const counted = keepExtraLayers(layers, countBlocks(file.header) - layers.whole)
  const kept = [...file.tensors.values()].flatMap((source): KeptGgufTensor[] => {
    const name = renumber(source.name, LAYERS, counted)
    return name === undefined ? [] : [{ name, source }]
  })
  const edits = cutMetadata(file.header, counted)
  const pruned: GgufFile = {
    headers: file.headers,
    header: applyEdits(file.header, edits),
    tensors: new Map(kept.map(({ name, source }) => [name, { ...source, name }])),
  }
  assertSame(model, pruned, layers)
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

/** @throws LayerpruneError if the pruned file would be read as a model that computes something else */
function assertSame(
  { config, gguf }: LocatedModel & { gguf: LocatedGguf },
  pruned: GgufFile,
  layers: KeptLayers,
): void {
  const { ignoredKeys } = config
  const describe = (file: GgufFile): Decoder => {
    const decoder = readGgufDecoder(file)
    const described = {
      ...interpretGguf({ ...gguf, decoder }, gguf.name),
      ...(ignoredKeys && { ignoredKeys }),
    }
    return describeDecoder(described, describeCheckpoint(file, decoder).tensors)
  }
  const whole = describe(gguf.file)
  const expected = { ...whole, layers: layers.kept.map((layer) => whole.layers[layer]!) }
  const difference = describeDifference(expected, () => describe(pruned))
  if (difference === undefined) return
  throw new LayerpruneError(
    `a GGUF file of this architecture cannot say what these layers need once others are gone: ${difference}`,
    { hint: 'remove other layers, or prune the safetensors checkpoint of the model' },
  )
}

function describeDifference(expected: Decoder, describe: () => Decoder): string | undefined {
  try {
    return findDecoderDifference(expected, describe())
  } catch (error) {
    if (error instanceof LayerpruneError) return error.message
    throw error
  }
}
