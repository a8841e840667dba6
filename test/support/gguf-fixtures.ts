import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pruneModel } from '../../src/jobs/prune/prune.js'
import type { Block } from '../../src/model/layers/block.js'
import { FIXTURES } from './paths.js'
import { makeTempFolder } from './temp-folder.js'

export const GGUF = join(FIXTURES, 'gguf')
export const GGUF_NAMES = readdirSync(GGUF).filter((name) => name.endsWith('.gguf'))

/** Architectures that choose what a layer computes by its number, and a cut that keeps to their rule. */
export const BY_NUMBER: Record<string, Block & { refused: string }> = {
  'cohere2.gguf': { refused: 'rope of the layer that becomes layer 2 would be another', start: 1, end: 4 },
  'gemma2.gguf': { refused: 'window of the layer that becomes layer 1 would be another', start: 0, end: 2 },
  'gemma3.gguf': { refused: 'rope of the layer that becomes layer 4 would be another', start: 0, end: 6 },
  'gpt-oss.gguf': { refused: 'window of the layer that becomes layer 1 would be another', start: 0, end: 2 },
  'lfm2.gguf': { refused: 'num_key_value_heads', start: 0, end: 1 },
  'lfm2-moe.gguf': { refused: 'num_key_value_heads', start: 0, end: 1 },
  'smollm3.gguf': { refused: 'rope of the layer that becomes layer', start: 0, end: 4 },
}

/** A block that can be removed from a fixture. */
export function cutOf(name: string): Block {
  return BY_NUMBER[name] ?? { start: 1, end: 2 }
}

/** Prunes a GGUF file; the path of the new one, or of its first part. */
export async function pruneGguf(model: string, { start, end }: Block): Promise<string> {
  const output = join(makeTempFolder(), 'pruned')
  const plan = { strategy: 'explicit', removed: [{ start, end }] }
  const { files } = await pruneModel({ model, output, plan })
  return join(output, files[0]!.name)
}
