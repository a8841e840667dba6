/** Where a model can run, as transformers.js names it. */
export const DEVICES = ['cpu', 'cuda', 'webgpu', 'dml', 'coreml'] as const

export type Device = (typeof DEVICES)[number]
