import { basename, resolve } from 'node:path'
import { type Recommending, recommendBlock } from '../documents/result-views.js'
import type { SimilarityResult } from '../documents/similarity-result.js'
import { formatBlocks } from '../layers/blocks.js'
import { quoteForShell } from '../quote-for-shell.js'

/** The command that removes the recommended block, ready to be copied. */
export function formatNextCommand(result: Pick<SimilarityResult, 'model'> & Recommending): string {
  const { id, askedRevision } = result.model
  const block = recommendBlock(result, result.layersToSkip)
  const words = [
    ...['layerprune', 'prune', '--model', id],
    ...(askedRevision === null ? [] : ['--revision', askedRevision]),
    ...['--drop', formatBlocks([block]), '-o', `${basename(resolve(id))}-pruned`],
  ]
  return `To make the cut:\n  ${words.map(quoteForShell).join(' ')}`
}
