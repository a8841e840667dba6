import { nameOption } from '../../base/name-option.js'
/** Where a model can run, as transformers.js names it. */
export const DEVICES = ['cpu', 'cuda', 'webgpu', 'dml', 'coreml'] as const

export type Device = (typeof DEVICES)[number]

/** What a device needs besides the ONNX Runtime package. */
const NEEDS: Record<Exclude<Device, 'cpu'>, string> = {
  cuda: 'it needs Linux on x64, an NVIDIA GPU with CUDA 12 and cuDNN 9, and the files fetched by node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12',
  webgpu: 'it needs a GPU with a Vulkan, Metal or Direct3D 12 driver',
  dml: 'it needs Windows and a GPU with a Direct3D 12 driver',
  coreml: 'it needs macOS',
}

export function hintForDevice(device: Device): string {
  return device === 'cpu' ? 'npm rebuild onnxruntime-node' : `${NEEDS[device]}; or ${nameOption('device', 'cpu')}`
}
