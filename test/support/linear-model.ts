import { open } from 'node:fs/promises'
import { openSafetensors } from '../../src/files/checkpoint/safetensors.js'
import { copyFixture } from './fixture-model.js'

/** A few batches of texts of tokens drawn by chance, of several lengths. */
export function drawBatches(vocabulary: number, count = 10) {
  let seed = 1
  const draw = () => {
    seed = (seed * 48271) % 2147483647
    return seed / 2147483647
  }
  return Array.from({ length: count }, (_, batch) =>
    Array.from({ length: 4 }, () => ({
      ids: Array.from({ length: 16 + (batch % 3) * 4 }, () => Math.floor(draw() * vocabulary)),
      origin: 'drawn',
    })),
  )
}

/** Overwrites tensors of a checkpoint: with zeros, or with another tensor's values. */
export async function overwrite(folder: string, changes: Record<string, 'zero' | { from: string }>): Promise<void> {
  const { tensors } = await openSafetensors(folder)
  for (const [name, change] of Object.entries(changes)) {
    const target = tensors.get(name)!
    const file = await open(target.file, 'r+')
    const bytes = new Uint8Array(target.sizeBytes)
    if (change !== 'zero') {
      const source = tensors.get(change.from)!
      await file.read(bytes, 0, source.sizeBytes, source.offsetBytes)
    }
    await file.write(bytes, 0, bytes.length, target.offsetBytes)
    await file.close()
  }
}

/** A model of which layer 1 adds to the stream a linear map of what layer 0 has at hand. */
export async function makeLinearModel(): Promise<string> {
  const folder = copyFixture('llama')
  const name = (layer: number, module: string) => `model.layers.${layer}.${module}.weight`
  // layer 0 adds nothing, so layer 1 has the same inner activations, and adds a linear map of them
  await overwrite(folder, {
    [name(0, 'self_attn.o_proj')]: 'zero',
    [name(0, 'mlp.down_proj')]: 'zero',
    [name(1, 'self_attn.o_proj')]: 'zero',
    ...Object.fromEntries(
      ['post_attention_layernorm', 'mlp.gate_proj', 'mlp.up_proj'].map((module) => [
        name(1, module),
        { from: name(0, module) },
      ]),
    ),
  })
  return folder
}
