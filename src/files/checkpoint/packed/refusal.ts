import { LayerpruneError } from '../../../base/errors.js'

const HINT = 'use the checkpoint in float32, float16 or bfloat16 that it was made from'

/** The error for weights that are quantised in a way that is not known. */
export function refused(found: string): LayerpruneError {
  return new LayerpruneError(`the checkpoint is quantised in a way that cannot be read: ${found}`, {
    hint: HINT,
  })
}
