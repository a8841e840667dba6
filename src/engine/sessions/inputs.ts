import type { TypedTensor } from 'onnxruntime-node'
import { LayerpruneError } from '../../base/errors.js'
import type { ModelConfig } from '../../files/checkpoint/config.js'
import { holdsKeysOrValues, layerOfCache } from '../../model/graph/cache-names.js'
import { DataType, dimensions, elementType, type GraphProto, type ValueInfoProto } from '../../model/graph/onnx/onnx.js'
import { POSITIONS_INPUT, SEEN_UNTIL_INPUT } from '../../model/graph/tree-attention.js'
import type { EncodedText } from '../../texts/tokens/windows.js'
import { assertTokenIds, countTokenRows } from './token-ids.js'

type Ort = typeof import('onnxruntime-node')
type Tensor = TypedTensor<'float32' | 'float16' | 'int64' | 'int32' | 'bool'>

/** Numbers of an input of fixed size; states of published recurrences have a thousandth. */
const MOST_ELEMENTS = 2 ** 30

export type MakeInput = (batch: EncodedText[], tokens: number) => Tensor

/**
 * Decides for every input of a decoder graph what to feed it, once. Texts are padded on the right whatever the
 * tokenizer prefers: in a causal model nothing before the padding sees it, so a text's states do not depend on
 * the length of the others. Caches are empty, states of convolutions and recurrences zero.
 * @throws LayerpruneError for an unknown input or an unexpected type; a `MakeInput` throws it for a token that the
 *   model does not have
 */
export function planInputs(
  ort: Ort,
  graph: GraphProto,
  config: ModelConfig,
  fedByCaller: Set<string>,
): Map<string, MakeInput> {
  const initializers = new Set(graph.initializer.map(({ name }) => name))
  const inputs = graph.input.filter(({ name }) => !initializers.has(name) && !fedByCaller.has(name))
  for (const info of inputs) assertSize(info)
  const tokenRows = countTokenRows(graph)
  return new Map(inputs.map((info) => [info.name, planInput(ort, info, config, tokenRows)]))
}

/** Before memory is taken for it. */
function assertSize(info: ValueInfoProto): void {
  const shape = dimensions(info)
  const fixed = shape.filter((size) => typeof size === 'number')
  if (fixed.reduce((product, size) => product * size, 1) <= MOST_ELEMENTS) return
  throw new LayerpruneError(
    `graph input ${info.name} has the shape [${shape.join(', ')}], expected at most ${MOST_ELEMENTS} numbers a text`,
    { hint: 'the graph may be damaged: download or export the model again' },
  )
}

function planInput(ort: Ort, info: ValueInfoProto, config: ModelConfig, tokenRows: number): MakeInput {
  const perToken = (value: (text: EncodedText, index: number, tokens: number) => number): MakeInput => {
    const make = makeIntegers(ort, info)
    return (batch, tokens) => {
      const values: number[] = []
      for (const text of batch) {
        for (let index = 0; index < tokens; index++) values.push(value(text, index, tokens))
      }
      return make(values, [batch.length, tokens])
    }
  }
  switch (info.name) {
    case 'input_ids': {
      const make = perToken(({ ids }, index) => (index < ids.length ? ids[index]! : 0))
      return (batch, tokens) => {
        for (const text of batch) assertTokenIds(text, tokenRows)
        return make(batch, tokens)
      }
    }
    case 'attention_mask':
      return perToken(({ ids }, index) => (index < ids.length ? 1 : 0))
    case POSITIONS_INPUT:
      return planPositions(ort, info)
    case SEEN_UNTIL_INPUT:
      return perToken(({ tree }, index, tokens) => tree?.seenUntil[index] ?? tokens)
    case 'use_cache_branch':
      return () => new ort.Tensor('bool', [false], [1]) as Tensor
    case 'num_logits_to_keep': {
      const make = makeIntegers(ort, info)
      return () => make([1], dimensions(info).length === 0 ? [] : [1])
    }
  }
  if (holdsKeysOrValues(info.name)) return planCache(ort, info, config)
  if (layerOfCache(info.name) !== undefined) return planState(ort, info)
  throw new LayerpruneError(`the graph needs an unknown input: ${info.name}[${dimensions(info).join(', ')}]`, {
    hint: 'expected a decoder with input_ids, attention_mask, position_ids and past_key_values inputs',
  })
}

function makeIntegers(ort: Ort, info: ValueInfoProto): (values: number[], shape: number[]) => Tensor {
  switch (elementType(info)) {
    case DataType.INT64:
      return (values, shape) => new ort.Tensor('int64', toInt64(values), shape) as Tensor
    case DataType.INT32:
      return (values, shape) => new ort.Tensor('int32', Int32Array.from(values), shape) as Tensor
    case DataType.BOOL:
      return (values, shape) => new ort.Tensor('bool', Uint8Array.from(values), shape) as Tensor
    case DataType.FLOAT:
      return (values, shape) => new ort.Tensor('float32', Float32Array.from(values), shape) as Tensor
    default:
      throw new LayerpruneError(
        `graph input ${info.name} has element type ${DataType[elementType(info)]}, expected INT64`,
      )
  }
}

/** In a plain loop, which is many times as fast as `BigInt64Array.from`. */
export function toInt64(values: number[]): BigInt64Array {
  const integers = new BigInt64Array(values.length)
  for (let index = 0; index < values.length; index++) integers[index] = BigInt(values[index]!)
  return integers
}

/** Positions of the tokens: [batch, tokens], or several times that if time, height and width have positions each. */
function planPositions(ort: Ort, info: ValueInfoProto): MakeInput {
  const make = makeIntegers(ort, info)
  const shape = dimensions(info)
  const repeats = shape.length === 3 ? shape[0]! : 1
  if (typeof repeats !== 'number' || shape.length > 3) {
    throw new LayerpruneError(
      `graph input position_ids has the shape [${shape.join(', ')}], expected [batch, tokens] or [3, batch, tokens]`,
    )
  }
  return (batch, tokens) => {
    const ofBatch = batch.flatMap(({ tree }) =>
      Array.from({ length: tokens }, (_, index) => tree?.positions[index] ?? index),
    )
    const values = Array.from({ length: repeats }, () => ofBatch).flat()
    return make(values, [...(shape.length === 3 ? [repeats] : []), batch.length, tokens])
  }
}

/** An empty cache: [batch, kv heads, 0, head dim], by the file's shape if it is fixed, otherwise by the config. */
function planCache(ort: Ort, info: ValueInfoProto, config: ModelConfig): MakeInput {
  const shape = dimensions(info)
  if (shape.length !== 4) {
    throw new LayerpruneError(
      `cache input ${info.name} has ${shape.length} dimensions (${shape.join(', ')}), expected 4`,
    )
  }
  const kvHeads = typeof shape[1] === 'number' ? shape[1] : config.kvHeads
  const headDim = typeof shape[3] === 'number' ? shape[3] : config.headDim
  const make = makeZeros(ort, info)
  return (batch) => make([batch.length, kvHeads, 0, headDim])
}

/** The state of a convolution or a recurrence before the first token: zeros. Its shape is fixed but for the batch. */
function planState(ort: Ort, info: ValueInfoProto): MakeInput {
  const shape = dimensions(info)
  if (shape.filter((size) => typeof size === 'string').length > 1) {
    throw new LayerpruneError(
      `cache input ${info.name} has the shape [${shape.join(', ')}], expected one that is fixed but for the batch`,
      { hint: 'export the model again with sizes that are fixed, as onnxruntime-genai does' },
    )
  }
  const make = makeZeros(ort, info)
  return (batch) => make(shape.map((size) => (typeof size === 'string' ? batch.length : size)))
}

function makeZeros(ort: Ort, info: ValueInfoProto): (shape: number[]) => Tensor {
  const half = elementType(info) === DataType.FLOAT16
  if (!half && elementType(info) !== DataType.FLOAT) {
    throw new LayerpruneError(
      `cache input ${info.name} has element type ${DataType[elementType(info)]}, expected FLOAT`,
    )
  }
  return (shape) => {
    const count = shape.reduce((product, size) => product * size, 1)
    return half
      ? (new ort.Tensor('float16', new Uint16Array(count), shape) as Tensor)
      : (new ort.Tensor('float32', new Float32Array(count), shape) as Tensor)
  }
}
