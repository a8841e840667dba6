import { join } from 'node:path'
import { LayerpruneError } from '../../../base/errors.js'
import { readJsonObject } from '../config.js'
import { isGguf } from '../gguf-names.js'
import type { ModelSource } from '../model-source.js'
import { ADAPTER_FILE } from '../other-forms.js'
import { findPytorch } from '../pytorch/pytorch-checkpoint.js'
import { readPytorchFile } from '../pytorch/pytorch-file.js'
import { readSafetensorsHeader } from '../safetensors-header.js'
import { type Adapter, interpretAdapterConfig } from './adapter-config.js'

const SAFETENSORS = 'adapter_model.safetensors'
const PYTORCH = 'adapter_model.bin'

/** Whether a model is an adapter without the weights of its base, by the names of its files. */
export function isAdapter(names: string[]): boolean {
  const isWeights = (name: string) =>
    (name.endsWith('.safetensors') && !name.startsWith('adapter_') && !name.includes('/')) ||
    name.endsWith('.onnx') ||
    isGguf(name)
  return names.includes(ADAPTER_FILE) && !names.some(isWeights) && findPytorch(names) === undefined
}

/** @throws LayerpruneError if a file is missing or damaged, or the adapter is not of a kind that can be merged */
export async function openAdapter({ id, folder, names, provide }: ModelSource): Promise<Adapter> {
  await provide([ADAPTER_FILE])
  const path = join(folder, ADAPTER_FILE)
  const config = interpretAdapterConfig((await readJsonObject(path)) ?? {}, path)
  const file = [SAFETENSORS, PYTORCH].find((name) => names.includes(name))
  if (file === undefined) {
    throw new LayerpruneError(`${folder} has ${ADAPTER_FILE}, but no ${SAFETENSORS}`, {
      hint: 'download the weights of the adapter too',
    })
  }
  await provide([file])
  const read = file === SAFETENSORS ? readSafetensorsHeader : readPytorchFile
  const header = await read(join(folder, file))
  return { id, folder, config, file, path: header.file, tensors: header.tensors }
}
