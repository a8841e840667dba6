import { readTable } from '../../base/read-table.js'
import type { Decoder, Experts, Linear, Mlp } from '../../model/families/describe/description.js'
import { findFamily } from '../../model/families/find-facts.js'

/** Targets of an adapter, in PEFT's terms. */
export interface AdapterTargets {
  /** Names of linear modules, or the ends of their paths if the name alone would match others too. */
  modules: string[]
  /** Ends of the paths of parameters that hold all experts of a layer, as transformers 5 keeps them. */
  parameters: string[]
}

interface PeftFacts {
  version: string
  /** Families in which PEFT takes the MLPs' modules for experts by name, and so leaves plain MLPs as they are. */
  expertsAlone: string[]
}

/** Describes targets that PEFT will not adapt; undefined if it adapts all. */
export function describeUnreached(family: string, { modules }: AdapterTargets): string | undefined {
  const { version, expertsAlone } = readTable<PeftFacts>('peft-0.21')
  if (!expertsAlone.includes(family) || modules.length === 0) return undefined
  return `PEFT ${version} changes the experts of ${family} models alone: their other MLPs stay as they are`
}

/** The same in the names of transformers, which differ in some files, for a decoder of that `model_type`. */
export function nameInTransformers({ modules, parameters }: AdapterTargets, family: string): AdapterTargets {
  const { moduleNames = {}, expertParameters = parameters } = findFamily(family) ?? {}
  return { modules: modules.map((name) => moduleNames[name] ?? name), parameters: expertParameters }
}

/** Paths of a layer's experts in transformers 5, regardless of how they are stored. */
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

/** Name of a module: `down_proj` of `model.layers.0.mlp.down_proj.weight`; a number keeps its list's name. */
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
