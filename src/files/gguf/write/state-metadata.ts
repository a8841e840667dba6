import type { Architecture } from '../architecture.js'
import { numberOf, type Source, windowRopeBase } from './source.js'
import { type FactorTensor, stateRope } from './state-rope.js'
import { count, integers, optional, real, type Statements, type WrittenValue } from './written-value.js'

/** What a file says of its decoder, and what it cannot say. */
export interface DecoderStatement {
  /** By their full keys. */
  metadata: Map<string, WrittenValue>
  factors: FactorTensor[]
  problem?: string | undefined
}

/** States the settings of a checkpoint as a file of an architecture does: the inverse of `readGgufDecoder`. */
export function stateDecoder(name: string, architecture: Architecture, source: Source): DecoderStatement {
  const rope = source.rotated > 0 ? stateRope(source) : { statements: {}, factors: [] }
  const statements = {
    ...stateSizes(architecture, source),
    ...rope.statements,
    'rope.freq_base_swa': optional(windowRopeBase(source), real),
    ...stateEpsilon(architecture, source),
    ...stateExperts(source),
    ...stateHeads(source),
    ...architecture.states?.(source),
  }
  const stated = Object.entries(statements).filter((entry): entry is [string, WrittenValue] => entry[1] !== undefined)
  const metadata = new Map(stated.map(([key, value]) => [`${name}.${key}`, value]))
  return { metadata, factors: rope.factors, problem: 'problem' in rope ? rope.problem : undefined }
}

function stateSizes({ keys = {} }: Architecture, source: Source): Statements {
  const { layers, positions, hidden, heads, kvHeads } = source
  const differ = kvHeads.some((number) => number !== kvHeads[0])
  return {
    block_count: count(layers),
    context_length: optional(positions, count),
    embedding_length: count(hidden),
    feed_forward_length: optional(numberOf(source, keys.intermediateSize ?? 'intermediate_size'), count),
    'attention.head_count': count(heads),
    ...(keys.kvHeads !== null && { 'attention.head_count_kv': differ ? integers(kvHeads) : count(kvHeads[0]!) }),
  }
}

function stateEpsilon({ norm }: Architecture, { epsilon }: Source): Statements {
  return { [`attention.layer_norm_${norm === 'rms' ? 'rms_' : ''}epsilon`]: real(epsilon) }
}

function stateExperts(source: Source): Statements {
  return {
    expert_count: optional(numberOf(source, 'num_local_experts', 'num_experts', 'n_routed_experts'), count),
    expert_used_count: optional(numberOf(source, 'num_experts_per_tok'), count),
    expert_group_count: optional(numberOf(source, 'n_group'), count),
    expert_group_used_count: optional(numberOf(source, 'topk_group'), count),
  }
}

/** The size of a head, if it is stated or not that of the states divided by the heads. */
function stateHeads({ config, hidden, heads, headDim }: Source): Statements {
  if (typeof config.head_dim !== 'number' && heads * headDim === hidden) return {}
  return { 'attention.key_length': count(headDim), 'attention.value_length': count(headDim) }
}
