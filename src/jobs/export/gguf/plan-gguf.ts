import { LayerpruneError } from '../../../base/errors.js'
import { interpretConfig, type ModelConfig } from '../../../files/checkpoint/config.js'
import { GGML_TYPES, idOfGgmlType } from '../../../files/checkpoint/ggml-types.js'
import { readLogicalTensors } from '../../../files/checkpoint/logical-tensors.js'
import type { SafetensorsCheckpoint } from '../../../files/checkpoint/safetensors.js'
import type { Architecture } from '../../../files/gguf/architecture.js'
import { describeCheckpoint } from '../../../files/gguf/checkpoint.js'
import { readGgufDecoder } from '../../../files/gguf/config.js'
import type { TokenizerFiles } from '../../../files/gguf/tokenizer/describe-tokenizer.js'
import { encodeGgufHeader, type WrittenTensor } from '../../../files/gguf/write/encode.js'
import { findWrittenArchitecture } from '../../../files/gguf/write/find-architecture.js'
import { planHeader } from '../../../files/gguf/write/planned-header.js'
import { countNumbers, labelSize } from '../../../files/gguf/write/size-label.js'
import type { Source } from '../../../files/gguf/write/source.js'
import { type Identity, stateGeneral } from '../../../files/gguf/write/state-general.js'
import { stateDecoder } from '../../../files/gguf/write/state-metadata.js'
import type { FactorTensor } from '../../../files/gguf/write/state-rope.js'
import { stateTokenizer } from '../../../files/gguf/write/state-tokenizer.js'
import { count, type Statements, text, type WrittenValue } from '../../../files/gguf/write/written-value.js'
import { describeDecoder, locateDecoder } from '../../../model/builder/build-decoder.js'
import type { Decoder, Layer } from '../../../model/families/describe/description.js'
import type { PlannedFile } from '../../write-model/planned-file.js'
import { chooseTypes, FILE_TYPES, type GgufDtype, type TypeFacts } from './choose-types.js'
import { findWrittenDifference } from './compare-decoders.js'
import type { WrittenType } from './convert-chunk.js'
import { describeSource } from './describe-source.js'
import { placeTensors } from './place-tensors.js'
import type { PlacedTensor } from './placed-tensor.js'
import { streamTensors, type TensorToStream } from './stream-tensors.js'

export interface GgufOptions {
  /** Of the model to write, without the layers that are removed. */
  config: ModelConfig
  /** Of the same layers. */
  checkpoint: SafetensorsCheckpoint
  tokenizer: TokenizerFiles
  /** The content of chat_template.jinja. */
  chatTemplate?: string | undefined
  identity: Identity
  dtype: GgufDtype
  /**
   * How much each column of a tensor counts when it is rounded, by its name in the file: the mean squares of its inputs,
   * for each matrix of a stack.
   */
  importance?: ReadonlyMap<string, Float32Array> | undefined
  onNote?: ((message: string) => void) | undefined
}

/** A GGUF file to write. */
export interface GgufPlan {
  /** As llama.cpp calls it. */
  architecture: string
  metadata: ReadonlyMap<string, WrittenValue>
  tensors: WrittenTensor[]
  /** The bytes of the file; the numbers of tensors are read and converted while they are written. */
  parts: PlannedFile['parts']
}

/** Of the layouts of packed types. */
const QUANTIZATION_VERSION = 2

/**
 * Plans a GGUF file of a checkpoint: its metadata, tokenizer and tensors as llama.cpp's converter writes them. What the
 * metadata let a decoder compute is read again and held against the checkpoint's.
 * @throws LayerpruneError if llama.cpp has no architecture, rope or tokenizer for the model, or a tensor cannot be read
 */
export function planGguf(options: GgufOptions): GgufPlan {
  const { config, checkpoint, dtype, importance } = options
  const { name, architecture } = findArchitecture(config)
  const { tensors } = readLogicalTensors(config.raw, checkpoint)
  const decoder = describeDecoder(config, tensors)
  const isGguf = config.dialect !== undefined
  const placed = placeTensors({ tensors, decoder, layout: locateDecoder(config, tensors), isGguf }, architecture)
  const shapes = new Map(placed.map(({ name, shape }) => [name, shape]))
  const source = describeSource(config, decoder, (name) => shapes.get(name))
  const { metadata, factors, problem } = stateDecoder(name, architecture, source)
  if (problem !== undefined) throw cannotSay(name, problem)
  const types = chooseTypes(placed, describeTypes(dtype, source, decoder, importance !== undefined))
  const streamed = [
    ...factors.map(streamFactors),
    ...placed.map((tensor) => streamPlaced(tensor, types.get(tensor.name)!, importance?.get(tensor.name))),
  ]
  const written = streamed.map(({ written }) => written)
  assertSame(decoder, { name, architecture, written, metadata, factors }, options)
  const all = new Map([
    ...listStated({
      'general.architecture': text(name),
      ...stateGeneral(options.identity, countNumbers(written), labelSize(written)),
      'general.file_type': count(FILE_TYPES[dtype]),
    }),
    ...metadata,
    ...listStated({ 'general.quantization_version': count(QUANTIZATION_VERSION) }),
    ...listStated(
      stateTokenizer(
        { ...options.tokenizer, chatTemplate: options.chatTemplate, model: config.raw },
        source.vocabulary,
      ),
    ),
  ])
  return {
    architecture: name,
    metadata: all,
    tensors: written,
    parts: [encodeGgufHeader(all, written), streamTensors(streamed)],
  }
}

function findArchitecture({ family }: ModelConfig): { name: string; architecture: Architecture } {
  const found = findWrittenArchitecture(family)
  if (found !== undefined) return found
  throw new LayerpruneError(`models of the family ${family} cannot be written as GGUF`, {
    hint: 'export the model to ONNX instead',
  })
}

function listStated(statements: Statements): [string, WrittenValue][] {
  return Object.entries(statements).filter((entry): entry is [string, WrittenValue] => entry[1] !== undefined)
}

function streamFactors({ name, values }: FactorTensor): TensorToStream {
  const written = { name, shape: [values.length], type: 'F32', sizeBytes: values.byteLength }
  return { written, values }
}

function describeTypes(
  dtype: GgufDtype,
  { layers, heads, kvHeads }: Source,
  { layers: list }: Decoder,
  hasImportance: boolean,
): TypeFacts {
  const experts = list.map(({ mlp }) => (mlp?.kind === 'experts' ? mlp.experts.count : 1))
  const isGrouped = kvHeads.some((count) => count < heads)
  return { dtype, layers, experts: Math.max(...experts), isGrouped, hasImportance }
}

function streamPlaced(placed: PlacedTensor, type: WrittenType, importance: Float32Array | undefined): TensorToStream {
  const { name, shape } = placed
  const { numbers, bytes } = GGML_TYPES.get(idOfGgmlType(type))!
  const sizeBytes = (shape.reduce((product, size) => product * size, 1) / numbers) * bytes
  return { written: { name, shape, type, sizeBytes }, placed, type, importance }
}

interface Planned {
  name: string
  architecture: Architecture
  written: WrittenTensor[]
  metadata: Map<string, WrittenValue>
  factors: FactorTensor[]
}

/** @throws LayerpruneError if the file would be read as a decoder that computes something else */
function assertSame(
  decoder: Decoder,
  { name, architecture, written, metadata, factors }: Planned,
  { config, onNote }: GgufOptions,
): void {
  const file = planHeader(new Map([['general.architecture', text(name)], ...metadata]), written, factors)
  const read = readGgufDecoder(file)
  const { dialect } = read.architecture
  const again = describeDecoder(
    { ...interpretConfig(read.config, file.header.file), origin: file.header.file, dialect },
    describeCheckpoint(file, read).tensors,
  )
  const positions = config.maxPositions ?? Infinity
  const expected = mapWindows(decoder, (window) => (window >= positions ? null : window))
  const found = mapWindows(again, (window) => (window >= positions ? null : window))
  const difference = findWrittenDifference(expected, found)
  if (difference === undefined) return
  if (architecture.dropsWindows) {
    const rest = findWrittenDifference(
      mapWindows(expected, () => null),
      found,
    )
    if (rest === undefined) {
      onNote?.(noteWindow(name, expected))
      return
    }
  }
  throw cannotSay(name, difference)
}

function noteWindow(name: string, { layers }: Decoder): string {
  const window = layers.map(({ mixer }) => (mixer?.kind === 'attention' ? mixer.window : null)).find(Boolean)
  return `llama.cpp has no windows for ${name}: in texts of more than ${window} tokens each token sees all before it`
}

function mapWindows(decoder: Decoder, change: (window: number) => number | null): Decoder {
  const layers = decoder.layers.map((layer): Layer => {
    const { mixer } = layer
    if (mixer?.kind !== 'attention' || mixer.window === null) return layer
    return { ...layer, mixer: { ...mixer, window: change(mixer.window) } }
  })
  return { ...decoder, layers }
}

function cannotSay(name: string, problem: string): LayerpruneError {
  return new LayerpruneError(
    `a GGUF file of the architecture ${name} cannot say what this model computes: ${problem}`,
    {
      hint: 'export the model to ONNX instead',
    },
  )
}
