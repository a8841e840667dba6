import { mergeAdapter } from './adapter/merge-adapter.js'
import { type LogicalTensors, readPackedTensors } from './packed/read-packed.js'
import type { SafetensorsCheckpoint } from './safetensors-checkpoint.js'

/**
 * The tensors as the model uses them: unpacked, and with the adapter merged.
 * @param config content of config.json
 * @returns those tensors, the unpacked ones without the adapter, and the names of those that the adapter changes
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
