import { mergeAdapter } from './adapter/merge-adapter.js'
import { type LogicalTensors, readPackedTensors } from './packed/read-packed.js'
import type { SafetensorsCheckpoint } from './safetensors-checkpoint.js'

/**
 * What the tensors of a checkpoint stand for, those that an adapter changes included.
 * @param config content of config.json
 * @returns the tensors as they are packed, what they stand for, and the names of those that an adapter changes
 * @throws as `readPackedTensors` and `mergeAdapter`
 */
export function readLogicalTensors(
  config: Record<string, unknown>,
  { tensors, adapter }: SafetensorsCheckpoint,
): Pick<LogicalTensors, 'tensors'> & { packed: LogicalTensors; changed: string[] } {
  const packed = readPackedTensors(config, tensors)
  if (adapter === undefined) return { packed, tensors: packed.tensors, changed: [] }
  return { packed, ...mergeAdapter({ tensors: packed.tensors, config }, adapter) }
}
