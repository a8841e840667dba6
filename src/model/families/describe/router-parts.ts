import type { ConfigReader } from './config-reader.js'
import type { ExpertGroups, Experts, LargestScores } from './description.js'
import type { Differences, ExpertParts } from './differences.js'
import type { Has } from './family.js'
import { describeExperts, type ExpertCounts, type ExpertNames, QWEN_EXPERTS } from './family-parts.js'

/** Experts selected with a correction bias, and optionally a shared expert without a gate (DeepSeek V3). */
export interface RoutedExperts extends ExpertCounts {
  names: ExpertNames
  /** Its `correctionBias` is replaced by the one below. */
  routing: LargestScores
  /** Possible names of the bias, the published one first; null if there is none. */
  correctionBias: string[] | null
  /** Possible modules of the shared expert, the published one first; null if there is none. */
  shared: { modules: string[]; intermediateSize: number; scale?: number } | null
  /** Whether fused matrices are stored as [inputs, outputs]; false if omitted. */
  transposed?: boolean
}

/** Describes a layer's experts by the names that the checkpoint has. */
export function describeRoutedExperts(
  parts: ExpertParts,
  has: Has,
  { correctionBias, shared, ...experts }: RoutedExperts,
): Experts {
  const find = (names: string[], tensor = '') => names.find((name) => has(parts.name(`${name}${tensor}`))) ?? names[0]!
  const bias = correctionBias === null ? null : parts.name(find(correctionBias))
  return {
    ...describeExperts(parts, has, { ...experts, routing: { ...experts.routing, correctionBias: bias } }),
    shared:
      shared === null
        ? null
        : {
            mlp: parts.gated(find(shared.modules, '.gate_proj.weight'), shared.intermediateSize),
            gate: null,
            scale: shared.scale ?? 1,
          },
  }
}

/** DeepSeek V3's addend to the sum of selected scores; it has no effect in float32 unless all of them are zero. */
const SUM_EPSILON = 1e-20

/** DeepSeek V3's router without groups: sigmoids, scaled to a sum of `scale`. */
export function sigmoidRouting(scale: number, sumEpsilon = SUM_EPSILON): LargestScores {
  return { scores: 'sigmoid', correctionBias: null, normalized: { sumEpsilon }, scale }
}

/** DeepSeek V3's router over groups of experts, by the keys that its variants share. */
export function readGroupedRouting(
  config: ConfigReader,
  { count, topK }: { count: number; topK: number },
  usual: { isNormalized: boolean; scale: number; groups?: UsualGroups | undefined },
): LargestScores {
  const scale = config.number('routed_scaling_factor', usual.scale)
  const isNormalized = config.flag('norm_topk_prob', usual.isNormalized)
  expectV3Router(config)
  return {
    ...sigmoidRouting(scale),
    normalized: isNormalized ? { sumEpsilon: SUM_EPSILON } : null,
    groups: readGroups(config, { count, topK, scoredBy: 2 }, usual.groups),
  }
}

/** Checks that the config names V3's router, under any of its published names. */
function expectV3Router(config: ConfigReader): void {
  config.expect('topk_method', 'noaux_tc')
  const scoring = config.text('scoring_func', 'sigmoid')
  if (scoring !== 'sigmoid' && scoring !== 'noaux_tc') throw config.refuse('scoring_func', '"sigmoid"')
}

interface UsualGroups {
  count: number
  kept: number
}

/**
 * The groups that experts are selected from; null if all groups are kept.
 * @param scoredBy how many of a group's largest scores are summed
 */
export function readGroups(
  config: ConfigReader,
  { count, topK, scoredBy }: { count: number; topK: number; scoredBy: number },
  usual: UsualGroups = { count: 1, kept: 1 },
  key = 'n_group',
): ExpertGroups | null {
  const groups = config.count(key, usual.count)
  const kept = config.count('topk_group', usual.kept)
  if (count % groups !== 0) throw config.refuse(key, `a divisor of ${count} experts`)
  if (kept > groups) throw config.refuse('topk_group', `at most ${key}, ${groups}`)
  if (groups === kept) return null
  const size = count / groups
  if (size < scoredBy) throw config.refuse(key, `groups of at least ${scoredBy} of ${count} experts`)
  if (kept * size < topK) throw config.refuse('topk_group', `groups of at least ${topK} experts in all`)
  return { count: groups, kept, scoredBy }
}

/** Which layers have experts: those of `mlp_layer_types`, or all from the number in `first.key` on. */
export function readExpertLayers(
  config: ConfigReader,
  first: { key: string; otherwise: number },
): (layer: number) => boolean {
  const boundary = config.number(first.key, first.otherwise)
  return readMlpTypes(config) ?? ((layer) => layer >= boundary)
}

/** Which layers have experts by `mlp_layer_types`; undefined if the config has no such list. */
export function readMlpTypes(config: ConfigReader): ((layer: number) => boolean) | undefined {
  const types = config.texts('mlp_layer_types', undefined)
  if (types === undefined) return undefined
  const layers = config.layers('num_hidden_layers')
  if (types.length < layers || types.some((type) => type !== 'dense' && type !== 'sparse')) {
    throw config.refuse('mlp_layer_types', `"dense" or "sparse" for each of ${layers} layers`)
  }
  return (layer) => types[layer] === 'sparse'
}

/** Number of layers for multi-token prediction after the decoder's last one, whether stored or not. */
export function readExtraLayers(config: ConfigReader, otherwise = 0): number {
  const key = config.choose('num_nextn_predict_layers', 'num_mtp_layers')
  const count = config.number(key, otherwise)
  if (!Number.isSafeInteger(count) || count < 0 || count > 64) throw config.refuse(key, 'a small whole number')
  return count
}

/** Experts under the names of DeepSeek V3. */
export function describeV3Experts(
  config: ConfigReader,
  has: Has,
  settings: {
    experts: ExpertCounts
    isNormalized: boolean
    scale: number
    /** Default of `first_k_dense_replace`; null if all layers have experts, whatever the config says. */
    firstSparse: number | null
    /** Number of shared experts, which are stored as one MLP of their total width. */
    shared: number
  },
): NonNullable<Differences['experts']> {
  const { experts, firstSparse, shared } = settings
  const isSparse =
    firstSparse === null
      ? () => true
      : readExpertLayers(config, { key: 'first_k_dense_replace', otherwise: firstSparse })
  config.ignore('intermediate_size')
  const routed: RoutedExperts = {
    names: QWEN_EXPERTS,
    ...experts,
    routing: readGroupedRouting(config, experts, settings),
    correctionBias: ['mlp.gate.e_score_correction_bias', 'mlp.e_score_correction_bias', 'mlp.gate.expert_bias'],
    shared: { modules: ['mlp.shared_experts'], intermediateSize: experts.intermediateSize * shared },
  }
  return (layer, parts) => (isSparse(layer) ? describeRoutedExperts(parts, has, routed) : null)
}
