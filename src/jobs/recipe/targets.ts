import type { Decoder, Experts, Linear, Mlp } from '../../model/families/description.js'

/** What an adapter changes, in PEFT's words. */
export interface AdapterTargets {
  /** Names of linear modules, or the ends of their paths if the name alone would match others too. */
  modules: string[]
  /** Ends of the paths of parameters that hold all experts of a layer, as transformers 5 keeps them. */
  parameters: string[]
}

/**
 * Families in which PEFT 0.21 takes the modules of MLPs for experts, by their names, and so leaves the MLPs without
 * experts, or beside them, as they are.
 */
const EXPERTS_ALONE = new Set([
  'afmoe',
  'cohere2_moe',
  'deepseek_v2',
  'deepseek_v3',
  'deepseek_v32',
  'dots1',
  'ernie4_5_moe',
  'exaone_moe',
  'glm4_moe',
  'glm4_moe_lite',
  'glm_moe_dsa',
  'hunyuan_v1_moe',
  'kimi_k2',
  'mellum',
  'qwen3_moe',
  'qwen3_next',
  'sarvam_mla',
  'solar_open',
])

/** Describes targets that PEFT will not adapt; undefined if it adapts all. */
export function describeUnreached(family: string, { modules }: AdapterTargets): string | undefined {
  if (!EXPERTS_ALONE.has(family) || modules.length === 0) return undefined
  return `PEFT 0.21 changes the experts of ${family} models alone: their other MLPs stay as they are`
}

/** Names of modules in published files for which transformers has others. */
const RENAMED: Record<string, Record<string, string>> = {
  exaone: { c_fc_0: 'gate_proj', c_fc_1: 'up_proj', c_proj: 'down_proj' },
}

/** Where transformers 5 keeps the experts of a layer, if that is not where it does those of other families. */
const EXPERTS: Record<string, string[]> = {
  dbrx: ['experts.mlp.w1', 'experts.mlp.v1', 'experts.mlp.w2'],
}

/**
 * The same as transformers names it, for which files may have other names.
 * @param family the decoder's `model_type`
 */
export function nameInTransformers({ modules, parameters }: AdapterTargets, family: string): AdapterTargets {
  const names = RENAMED[family] ?? {}
  return {
    modules: modules.map((name) => names[name] ?? name),
    parameters: EXPERTS[family] ?? parameters,
  }
}

/** Where transformers 5 keeps the experts of a layer, however they are stored. */
function fusedExperts({ expert }: Experts): string[] {
  return [expert(0).kind === 'plain' ? 'experts.up_proj' : 'experts.gate_up_proj', 'experts.down_proj']
}

/** What an adapter that heals a cut changes: the MLPs of a decoder, or its mixers if it has no MLP. */
export function findTargets({ layers }: Decoder): AdapterTargets {
  const modules = new Set<string>()
  const parameters = new Set<string>()
  if (layers.every(({ mlp }) => mlp === null)) {
    // PEFT refuses the last product of a state space, whose kernels read the weight themselves
    const names = layers.flatMap(({ mixer }) => linearsWithin({ ...mixer, output: null }).map(lastName))
    return { modules: [...new Set(names)], parameters: [] }
  }
  for (const { mlp, mixer } of layers) {
    if (mlp === null) continue
    const others = linearsWithin(mixer).map(lastName)
    const addAll = (linears: Linear[]) => {
      for (const linear of linears) {
        const name = lastName(linear)
        modules.add(others.includes(name) ? `${parentName(linear)}.${name}` : name)
      }
    }
    for (const part of partsOf(mlp)) {
      if (part.kind !== 'experts') {
        addAll(linearsOf(part))
        continue
      }
      const { shared, latent } = part.experts
      if (shared) addAll(linearsOf(shared.mlp))
      if (latent) addAll([latent.into, latent.back])
      for (const name of fusedExperts(part.experts)) parameters.add(name)
    }
  }
  return { modules: [...modules], parameters: [...parameters] }
}

function partsOf(mlp: Mlp): Mlp[] {
  return mlp.kind === 'sum' ? mlp.parts.flatMap((part) => partsOf(part.mlp)) : [mlp]
}

function linearsOf(mlp: Mlp): Linear[] {
  switch (mlp.kind) {
    case 'plain':
      return [mlp.up, mlp.down]
    case 'gated':
      return [mlp.gate, mlp.up, mlp.down]
    case 'gated in one':
      return [mlp.gateUp, mlp.down]
    case 'experts':
    case 'sum':
      return []
  }
}

/**
 * Name of a module: `down_proj` of `model.layers.0.mlp.down_proj.weight`; one that has a number instead, with the name
 * of its list before it.
 */
function lastName({ weight }: Linear): string {
  return /(?:[^.]+\.\d+|[^.]+)(?=\.[^.]+$)/.exec(weight)![0]
}

/** Name of the module that holds a product's: `mlp` of `model.layers.0.mlp.down_proj.weight`. */
function parentName({ weight }: Linear): string {
  return weight.split('.').at(-3)!
}

/** The products in a description, at any depth. */
function linearsWithin(part: unknown): Linear[] {
  if (typeof part !== 'object' || part === null) return []
  if ('weight' in part && 'inputs' in part) return [part as Linear]
  return Object.values(part).flatMap(linearsWithin)
}
