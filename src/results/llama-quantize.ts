import { parse } from 'node:path'
import { UsageError } from '../base/errors.js'
import { quoteForShell } from '../base/quote-for-shell.js'
import type { Block } from '../model/layers/block.js'
import { normalizeBlocks } from '../model/layers/blocks.js'

export interface LlamaQuantizeOptions {
  /** Path of the GGUF file. */
  file: string
  /** Layers of the whole model. */
  layers: number
  /** Blocks to remove, in any order. */
  removed: Block[]
}

/**
 * The command that removes layers from a GGUF file with llama.cpp's own tool and copies all else as it is stored. The
 * tool counts layers from 0, as we do.
 * @throws UsageError for ranges that `normalizeBlocks` refuses, and for no block at all
 */
export function formatLlamaQuantize({ file, layers, removed }: LlamaQuantizeOptions): string {
  if (removed.length === 0) throw new UsageError('no block to remove for llama-quantize')
  const numbers = normalizeBlocks(removed, layers).flatMap(({ start, end }) =>
    Array.from({ length: end - start }, (_, index) => start + index),
  )
  const { name, ext } = parse(file)
  const words = ['llama-quantize', '--prune-layers', `${numbers}`, file, `${name}-pruned${ext}`, 'COPY']
  return `${words.map(quoteForShell).join(' ')}\n`
}
