import { LayerpruneError, UsageError } from '../../base/errors.js'
import { nameOption } from '../../base/name-option.js'
import { chooseOnnxFile, type Dtype, type FORMATS, hasGraph, type OnnxFile } from './onnx-files.js'
import { findPytorch } from './pytorch/pytorch-checkpoint.js'
import { findSafetensors } from './safetensors.js'

export type Format = (typeof FORMATS)[number]
/** Forms of tensors beside a config.json. */
export type TensorFormat = 'pytorch' | 'safetensors'

const FIND: Record<TensorFormat, (names: string[]) => string | undefined> = {
  safetensors: findSafetensors,
  pytorch: findPytorch,
}

/** Why a model is opened: to run, to train what is added, or to write it again, with weights as stored. */
export type Purpose = 'measure' | 'train' | 'change'

/** Precisions that tensors can be computed in, be they in safetensors, PyTorch or GGUF files. */
const COMPUTED_DTYPES = {
  measure: ['fp32', 'bf16', 'fp16', 'q8'],
  train: ['fp32', 'bf16', 'fp16'],
  change: ['fp32'],
} as const satisfies Record<Purpose, Dtype[]>

export type ComputedDtype = (typeof COMPUTED_DTYPES)['measure'][number]

export interface WeightOptions {
  /** Which published precision to read; if omitted, fp32 from safetensors, or the best graph present. */
  dtype?: Dtype | undefined
  /** A graph or GGUF file inside the folder, by name; a graph wins over `dtype`. */
  modelFile?: string | undefined
  /** If omitted, safetensors or else PyTorch files if present and of a known family: they are the model itself. */
  format?: Format | undefined
}

export interface ModelFacts {
  /** As the user named it, for messages. */
  id: string
  /** Its files, relative to its folder, parts joined by `/`. */
  names: string[]
  /** `model_type` of its config. */
  family: string
  /** The GGUF file that its config was read from; undefined if it was config.json. */
  gguf?: string | undefined
  /** Whether a decoder of this family can be built from its tensors. */
  isKnownFamily: boolean
}

export type ChosenWeights =
  | {
      format: TensorFormat
      /** The weights or their index; undefined if the model has none, which opening it reports. */
      file: string | undefined
      computedIn: ComputedDtype
    }
  | { format: 'gguf'; file: string; computedIn: ComputedDtype }
  /** What it computes in is read from the graph. */
  | ({ format: 'onnx' } & OnnxFile)

/** The choice, and why it was made if the user could have expected another. */
export interface Choice {
  weights: ChosenWeights
  note?: string
}

/**
 * Chooses which of a model's files are read, in which form, and in what they are computed, from their names alone.
 * A new form of weights gets a case of `ChosenWeights`, its choice here and its reading in `openWeights`.
 * @throws UsageError if the options contradict each other
 * @throws LayerpruneError if the model does not have what was asked for
 */
export function chooseWeights(model: ModelFacts, asked: WeightOptions, purpose: Purpose): Choice {
  const { format, dtype = 'fp32', modelFile } = asked
  const computed = COMPUTED_DTYPES[purpose].find((name) => name === dtype)
  if (model.gguf !== undefined) return takeGguf(model.gguf, asked, computed, purpose)
  if (format === 'safetensors' || format === 'pytorch') {
    return { weights: takeTensors(format, model, asked, computed, purpose) }
  }
  if (format === 'onnx' || modelFile !== undefined) return { weights: takeGraph(model, asked) }
  const found = model.isKnownFamily ? findTensors(model.names) : undefined
  if (found === undefined && dtype === 'fp32') return takeWhatThereIs(model, asked)
  if (found === undefined || computed === undefined) return { weights: takeGraph(model, asked) }
  if (computed === 'fp16' && hasGraph(model.names, 'fp16')) {
    const note = `reading the fp16 graph; ${nameOption('format', found.format)} reads ${found.file}, and computes in float32`
    return { weights: takeGraph(model, asked), note }
  }
  return {
    weights: { ...found, computedIn: computed },
    note: describeTensors(found.file, computed, model.names),
  }
}

/** The model's own tensors; as in transformers, safetensors come first. */
function findTensors(names: string[]): { format: TensorFormat; file: string } | undefined {
  for (const format of ['safetensors', 'pytorch'] as const) {
    const file = FIND[format](names)
    if (file !== undefined) return { format, file }
  }
  return undefined
}

function takeTensors(
  format: TensorFormat,
  { names }: ModelFacts,
  { dtype = 'fp32', modelFile }: WeightOptions,
  computed: ComputedDtype | undefined,
  purpose: Purpose,
): ChosenWeights {
  if (modelFile !== undefined) {
    throw new UsageError(
      `${nameOption('modelFile', modelFile)} names a graph, but ${nameOption('format', format)} was given`,
    )
  }
  const name = format === 'pytorch' ? 'PyTorch files' : format
  const computedIn = computed ?? refuseDtype(name, dtype, purpose)
  return { format, file: FIND[format](names), computedIn }
}

function takeGguf(
  file: string,
  { format, dtype = 'fp32' }: WeightOptions,
  computed: ComputedDtype | undefined,
  purpose: Purpose,
): Choice {
  if (format !== undefined && format !== 'gguf') {
    throw new UsageError(`${file} is a GGUF file, but ${nameOption('format', format)} was given`)
  }
  const computedIn = computed ?? refuseDtype('GGUF files', dtype, purpose)
  return { weights: { format: 'gguf', file, computedIn }, note: describeComputed(file, computedIn) }
}

function refuseDtype(what: string, dtype: Dtype, purpose: Purpose): never {
  throw new UsageError(
    `${what} are computed in ${COMPUTED_DTYPES[purpose].join(' or ')}, but ${nameOption('dtype', dtype)} was given`,
    { hint: 'omit `dtype`, or take a graph with `format: onnx`' },
  )
}

function takeGraph({ id, names }: ModelFacts, asked: WeightOptions): ChosenWeights {
  const graph = chooseOnnxFile(names, id, asked)
  if (graph !== undefined) return { format: 'onnx', ...graph }
  throw new LayerpruneError(`${id} has no .onnx graph in onnx/ or at its top`, {
    hint: 'take a model that has one, or name the file with `modelFile`',
  })
}

/** A graph, if the model has one; its tensors, if any, are of a family that cannot be built. */
function takeWhatThereIs({ id, names, family }: ModelFacts, { dtype }: WeightOptions): Choice {
  const found = findTensors(names)
  const graph = chooseOnnxFile(names, id, { dtype })
  if (graph === undefined) {
    return { weights: { format: 'safetensors', file: undefined, ...found, computedIn: 'fp32' } }
  }
  const weights: ChosenWeights = { format: 'onnx', ...graph }
  if (found === undefined) return { weights }
  return { weights, note: `${family} models cannot be read from ${found.file} yet, so a graph is read` }
}

/** What is read. A published q8 graph rounds activations per batch and costs more accuracy than rounding weights. */
function describeTensors(file: string, computedIn: ComputedDtype, names: string[]): string {
  const hasOther = computedIn === 'q8' && hasGraph(names, 'q8')
  return `${describeComputed(file, computedIn)}${hasOther ? '; a q8 graph is present too; read it with `format: onnx`' : ''}`
}

function describeComputed(file: string, computedIn: ComputedDtype): string {
  switch (computedIn) {
    case 'fp32':
      return `reading ${file} in fp32`
    case 'q8':
      return `reading ${file} in q8: int8 weights, activations rounded token by token`
    default:
      return `reading ${file} in ${computedIn}: weights as they are stored, computed in float32`
  }
}
