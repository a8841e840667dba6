import { LayerpruneError } from '../../base/errors.js'
import { quoteName } from './safetensors-header.js'

/** What wrappers of training put before the names of all tensors. */
const PREFIXES = ['module.', '_orig_mod.']
/** What torch.compile puts before the names in each module that is compiled. */
const COMPILED = /(^|\.)_orig_mod\./g

/**
 * Tensors by the names that they have in the model itself, without what DistributedDataParallel and torch.compile add.
 * @throws LayerpruneError if only some of the names at the top are those of a compiled model, or two become one
 */
export function withoutWrapperNames<Tensor>(tensors: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const names = [...tensors.keys()]
  const prefix = names.length > 0 && PREFIXES.find((prefix) => names.every((name) => name.startsWith(prefix)))
  if (prefix) {
    return withoutWrapperNames(new Map([...tensors].map(([name, tensor]) => [name.slice(prefix.length), tensor])))
  }
  const compiled = names.find((name) => name.startsWith('_orig_mod.'))
  if (compiled !== undefined) {
    const other = names.find((name) => !name.startsWith('_orig_mod.'))!
    throw mixed(`some tensors have torch.compile's prefix and some do not: ${quoteName(compiled)}, ${quoteName(other)}`)
  }
  const own = new Map<string, Tensor>()
  for (const [name, tensor] of tensors) {
    const bare = name.replaceAll(COMPILED, '$1')
    if (own.has(bare))
      throw mixed(`tensor ${quoteName(bare)} is there twice, with and without torch.compile's _orig_mod`)
    own.set(bare, tensor)
  }
  return own
}

function mixed(what: string): LayerpruneError {
  return new LayerpruneError(what, { hint: 'save the model again from what was compiled (model._orig_mod)' })
}
