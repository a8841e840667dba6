import { mergeAdapter } from './adapter/merge-adapter.js'
import { type LogicalTensors, readPackedTensors } from './packed/read-packed.js'
import type { SafetensorsCheckpoint } from './safetensors.js'

/**
 * What the tensors of a checkpoint stand for, those that an adapter changes included.
 * @param config content of config.json
 * @returns also the names of the tensors that an adapter changes
 * @throws as `readPackedTensors` and `mergeAdapter`
 */
export function readLogicalTensors(
  config: Record<string, unknown>,
  { tensors, adapter }: SafetensorsCheckpoint,
): LogicalTensors & { changed: string[] } {
  const logical = readPackedTensors(config, tensors)
  if (adapter === undefined) return { ...logical, changed: [] }
  return { ...logical, ...mergeAdapter({ tensors: logical.tensors, config }, adapter) }
}
