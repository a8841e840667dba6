import { LayerpruneError } from '../../base/errors.js'
import type { TensorLocation } from '../../files/checkpoint/safetensors.js'
import type { Decoder } from '../../model/families/describe/description.js'
import { findTargets } from '../recipe/targets.js'

/**
 * Paths of the modules that have adapters, in order: those of the MLPs, or those named, by PEFT's rule.
 * @throws LayerpruneError if the decoder has experts, or a name is that of no module
 */
export function listTargets(
  decoder: Decoder,
  tensors: ReadonlyMap<string, TensorLocation>,
  asked?: readonly string[],
): string[] {
  const { modules, parameters } = findTargets(decoder)
  if (asked === undefined && parameters.length > 0) {
    throw new LayerpruneError('models with experts cannot be trained here: each token passes only some of them', {
      hint: 'layerprune recipe writes what trains them on a GPU',
    })
  }
  const paths = [...tensors.values()].flatMap(({ name, shape }) => {
    const path = /^(.*)\.weight$/.exec(name)?.[1]
    return path !== undefined && shape.length === 2 ? [path] : []
  })
  const names = asked ?? modules
  const matches = (path: string, name: string) => path === name || path.endsWith(`.${name}`)
  const unknown = names.find((name) => !paths.some((path) => matches(path, name)))
  if (unknown !== undefined) {
    throw new LayerpruneError(`the checkpoint has no module ${unknown} to train`)
  }
  return paths.filter((path) => names.some((name) => matches(path, name)))
}
