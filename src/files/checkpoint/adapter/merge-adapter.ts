import { LayerpruneError } from '../../../base/errors.js'
import { findDecoderFacts } from '../known-models.js'
import { combineBlocks, combineWith, stored } from '../packed/scales.js'
import { quoteName, type TensorLocation } from '../safetensors-header.js'
import type { WeightExpression } from '../weight-expression.js'
import { type Adapter, refusedAdapter } from './adapter-config.js'

type Tensors = ReadonlyMap<string, TensorLocation>

/** What a base model must tell for an adapter to be merged into it. */
export interface AdaptedBase {
  tensors: Tensors
  config: Record<string, unknown>
}

/** Tensors of an adapter that change one weight of the base. */
interface Change {
  /** The module that they belong to, as the adapter names it. */
  module: string
  /** `lora_A` and `lora_B`, [rank, inputs] and [outputs, rank]. */
  into?: TensorLocation
  back?: TensorLocation
  /** Whether the weight is a table that rows are looked up in, whose matrices are [rank, rows] and [width, rank]. */
  isTable?: boolean
  /** The weight itself, of a module that was trained whole. */
  whole?: TensorLocation
}

const OTHER_BASE = 'name the model that the adapter was trained on with `base`'
const PREFIX = 'base_model.model.'
const LOW_RANK = /^(.+)\.lora_(embedding_)?([AB])(?:\.weight)?$/
const FLOATS: readonly string[] = ['F64', 'F32', 'F16', 'BF16']
const TABLE_OR_HEAD =
  /(^|\.)(embed_tokens|wte|word_embeddings|embed_in|tok_embeddings|lm_head|embed_out|output)\.weight$/

/**
 * Merges a LoRA adapter into the tensors of its base: a weight becomes W + alpha / rank B A, computed as it is read.
 * @returns the tensors, and the names of those that the adapter changes
 * @throws LayerpruneError if a tensor of the adapter fits none of the base, or changes a table that is also the head
 */
export function mergeAdapter(
  base: AdaptedBase,
  adapter: Adapter,
): { tensors: Map<string, TensorLocation>; changed: string[] } {
  const merged = new Map(base.tensors)
  const changes = listChanges(adapter)
  const changed: string[] = []
  for (const [name, change] of changes) {
    const location = findWeight(name, base.tensors)
    if (location === undefined) {
      throw new LayerpruneError(`the adapter changes ${quoteName(name)}, which is no weight of the base model`, {
        hint: `${OTHER_BASE}, or merge it with peft (merge_and_unload)`,
      })
    }
    assertUntied(location.name, base)
    merged.set(
      location.name,
      change.whole ? replace(location, change.whole) : addLowRank(location, change, base, adapter),
    )
    changed.push(location.name)
  }
  if (changed.length === 0) throw new LayerpruneError(`${adapter.file} of ${adapter.id} holds no tensor`)
  return { tensors: merged, changed }
}

/** By the name of the weight that is changed. */
function listChanges({ tensors, file }: Adapter): Map<string, Change> {
  const changes = new Map<string, Change>()
  for (const tensor of tensors.values()) {
    if (!tensor.name.startsWith(PREFIX) || !FLOATS.includes(tensor.dtype)) {
      throw refusedAdapter(`${file} holds ${quoteName(tensor.name)} (${tensor.dtype}), which is not of a LoRA adapter`)
    }
    const name = tensor.name.slice(PREFIX.length)
    const [, module, embedding, side] = LOW_RANK.exec(name) ?? []
    if (module === undefined) {
      const whole = name.replace('.base_layer.', '.')
      changes.set(whole, { module: whole, ...changes.get(whole), whole: tensor })
      continue
    }
    const weight = `${module}.weight`
    const known = { module, ...changes.get(weight), isTable: embedding !== undefined }
    changes.set(weight, { ...known, [side === 'A' ? 'into' : 'back']: tensor })
  }
  for (const { module, whole, into, back } of changes.values()) {
    if (whole === undefined ? into && back : !into && !back) continue
    throw refusedAdapter(
      whole === undefined
        ? `${file} has only one of the two matrices of ${quoteName(module)}`
        : `${file} has a new weight for ${quoteName(module)} and matrices that are added to it`,
    )
  }
  return changes
}

/** The weight of a name, which a checkpoint may have saved without the module that holds the decoder, or only that. */
function findWeight(name: string, tensors: Tensors): TensorLocation | undefined {
  const inner = name.replace(/^(model|transformer)\./, '')
  const names = [name, inner, `model.${name}`, `transformer.${name}`]
  return names.map((candidate) => tensors.get(candidate)).find((location) => location !== undefined)
}

/** A table that is also the head would be changed in both places by one of the two, in PEFT only in one. */
function assertUntied(name: string, { tensors, config }: AdaptedBase): void {
  if (!TABLE_OR_HEAD.test(name)) return
  const both = [...tensors.keys()].filter((other) => TABLE_OR_HEAD.test(other))
  if (config.tie_word_embeddings === false && both.length > 1) return
  throw refusedAdapter(`the adapter changes ${name}, which is both the embedding table and the head`)
}

function replace(weight: TensorLocation, whole: TensorLocation): TensorLocation {
  assertShape(weight, whole.shape, whole.name)
  return { ...weight, expression: stored(whole) }
}

function addLowRank(
  weight: TensorLocation,
  { module, into, back, isTable }: Change,
  { config }: AdaptedBase,
  adapter: Adapter,
): TensorLocation {
  const { rank, scale } = adapter.config.scaleOf(module)
  const [inputs, outputs] = [into!.shape[1], back!.shape[0]]
  if (`${into!.shape}` !== `${[rank, inputs]}` || `${back!.shape}` !== `${[outputs, rank]}`) {
    throw refusedAdapter(
      `the matrices of ${quoteName(module)} are [${into!.shape.join(', ')}] and [${back!.shape.join(', ')}], expected matrices of rank ${rank}`,
    )
  }
  const isTransposed = isTable || findDecoderFacts(config.model_type).transposed?.test(weight.name) === true
  const shape: [number, number] = isTransposed ? [inputs!, outputs!] : [outputs!, inputs!]
  assertShape(weight, shape, module)
  const scaled = combineWith('Mul', stored(back!), scale)
  const [left, right] = isTransposed ? [transpose(stored(into!)), transpose(scaled)] : [scaled, stored(into!)]
  const product: WeightExpression = { kind: 'product', shape, left, right }
  const base = weight.expression ?? stored(weight)
  return { ...weight, expression: combineBlocks('Add', base, product, [1, 1]) }
}

function assertShape(weight: TensorLocation, shape: readonly number[], what: string): void {
  if (`${weight.shape}` === `${shape}`) return
  throw new LayerpruneError(
    `${quoteName(what)} of the adapter is for a weight of [${shape.join(', ')}], but ${weight.name} of the base model is [${weight.shape.join(', ')}]`,
    { hint: OTHER_BASE },
  )
}

function transpose(of: WeightExpression): WeightExpression {
  return { kind: 'transposed', shape: of.shape.toReversed(), of }
}
