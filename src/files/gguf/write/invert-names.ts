import type { Target, TensorNames } from '../tensor-names.js'

/** What a file calls a tensor of a checkpoint, and which one of a stack it is. */
export interface InvertedName {
  name: string
  /** Place in a stack; undefined if the tensor is whole. */
  index?: number
  /** An axis of size 1 that the file omits. */
  axis?: number
}

const ENDINGS = ['.weight', '.bias']

/**
 * The inverse of `nameTensors`: what a file calls the tensors of a checkpoint.
 * @param prefix of the decoder's tensors in the checkpoint, which may be another than the family's
 * @param heads what the name of the head may start with
 * @returns the name of a tensor, or undefined if a file of the architecture has none for it
 */
export function invertNames(
  names: TensorNames,
  prefix: string,
  heads: readonly string[],
): (name: string) => InvertedName | undefined {
  const [layer, model] = [names.layer, names.model].map(invertTargets)
  const start = `${prefix}${names.layers}.`
  return (name) => {
    for (const ending of ENDINGS) {
      if (heads.some((head) => name === `${head}${names.head}${ending}`)) return { name: `output${ending}` }
    }
    const [, number, rest] = (name.startsWith(start) && /^(\d+)\.(.+)$/.exec(name.slice(start.length))) || []
    if (rest !== undefined) {
      const found = layer!(rest)
      return found && { ...found, name: `blk.${number}.${found.name}` }
    }
    return name.startsWith(prefix) ? model!(name.slice(prefix.length)) : undefined
  }
}

/** Any number, to find the place of the index in names. */
const SOME_INDEX = 7_654_321

function invertTargets(targets: Record<string, Target>): (rest: string) => InvertedName | undefined {
  const whole = new Map<string, InvertedName>()
  const stacks: { pattern: RegExp; name: string }[] = []
  for (const [base, target] of Object.entries(targets)) {
    if (typeof target !== 'string' && 'name' in target) {
      whole.set(target.name, { name: base })
      continue
    }
    for (const ending of ENDINGS) {
      const name = `${base}${ending}`
      if (typeof target === 'string') whole.set(`${target}${ending}`, { name })
      else if ('module' in target) {
        const { module, axis, isWritten } = target
        whole.set(`${module}${ending}`, { name, ...(!isWritten && { axis }) })
      } else stacks.push({ name, pattern: indexPattern(`${target.each(SOME_INDEX)}${ending}`) })
    }
  }
  return (rest) => {
    const found = whole.get(rest)
    if (found !== undefined) return found
    for (const { pattern, name } of stacks) {
      const index = pattern.exec(rest)?.[1]
      if (index !== undefined) return { name, index: Number(index) }
    }
    return undefined
  }
}

function indexPattern(name: string): RegExp {
  return new RegExp(`^${name.replaceAll('.', '\\.').replace(String(SOME_INDEX), '(\\d+)')}$`)
}
