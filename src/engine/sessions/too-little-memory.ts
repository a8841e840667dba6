import { LayerpruneError } from '../../base/errors.js'
import { formatQuantity, formatSize } from '../../base/format-numbers.js'
import { nameOption } from '../../base/name-option.js'

/** What a run may take, and the longest text that it has to run. */
export interface MemoryLimit {
  /** Total memory that the process may take, in bytes. */
  maxMemory: number
  /** Most tokens of a text. */
  maxLength: number
  /** What the process took before an earlier run of the same sessions, whose memory is used again; now if omitted. */
  takenBytes?: number | undefined
}

/** @param leastBytes  with which the run would do */
export function tooLittleMemory(leastBytes: number, { maxMemory, maxLength }: MemoryLimit): LayerpruneError {
  const least = `${Math.ceil(leastBytes / 1e6)}MB`
  return new LayerpruneError(
    `${formatSize(maxMemory)} of memory is too little: this model takes at least ${least} for texts of ${formatQuantity(maxLength, 'token')}`,
    { hint: `${nameOption('maxMemory', least)}, or a smaller ${nameOption('maxLength')}` },
  )
}
