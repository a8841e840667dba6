import type { Decoder, Experts, Linear, Mlp } from '../families/description.js'

/** What an adapter changes, in PEFT's words. */
export interface AdapterTargets {
  /** Names of linear modules, or the ends of their paths if the name alone would match others too. */
  modules: string[]
  /** Ends of the paths of parameters that hold all experts of a layer, as transformers 5 keeps them. */
  parameters: string[]
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
    const addAll = (mlp: Mlp) => {
      for (const linear of linearsOf(mlp)) {
        const name = lastName(linear)
        modules.add(others.includes(name) ? `mlp.${name}` : name)
      }
    }
    for (const part of partsOf(mlp)) {
      if (part.kind !== 'experts') {
        addAll(part)
        continue
      }
      if (part.experts.shared) addAll(part.experts.shared.mlp)
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

/** The products in a description, at any depth. */
function linearsWithin(part: unknown): Linear[] {
  if (typeof part !== 'object' || part === null) return []
  if ('weight' in part && 'inputs' in part) return [part as Linear]
  return Object.values(part).flatMap(linearsWithin)
}
