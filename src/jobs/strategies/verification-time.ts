import type { Block } from '../../model/layers/block.js'
import { includesLayer } from '../../model/layers/blocks.js'
import { buildPrefixTree, type PrefixTree } from '../evaluate/prefix-tree.js'
import type { RunRate } from '../run/run-rate.js'

/** About how many seconds it takes to check blocks on `tokens`: each cut runs from its block on, with its own head. */
export function estimateVerification(
  { tokensPerSecond, loadingSeconds, headShare }: RunRate,
  { layers, blocks, tokens }: { layers: number; blocks: Block[]; tokens: number },
): number {
  const cuts = [[], ...blocks.map((block) => [block])]
  const paths = cuts.map((removed) =>
    Array.from({ length: layers }, (_, layer) => layer).filter((layer) => !includesLayer(removed, layer)),
  )
  const layersRun = countNodes(buildPrefixTree(paths))
  return loadingSeconds + (tokens / tokensPerSecond) * (layersRun / layers + cuts.length * headShare)
}

function countNodes({ next }: PrefixTree): number {
  return [...next.values()].reduce((sum, branch) => sum + 1 + countNodes(branch), 0)
}
