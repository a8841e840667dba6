import { Command, InvalidArgumentError } from 'commander'
import { UsageError } from '../../base/errors.js'
import type { Block } from '../../model/layers/block.js'
import { parseBlocks } from '../../model/layers/blocks.js'
import { confidence, wholeNumber } from './arguments.js'
import type { CheckFlags } from './run/check.js'

export function makeCheckCommand(): Command {
  return new Command('check')
    .description('Compare a saved result with expectations, for CI: exit code 1 if one does not hold.')
    .requiredOption('--from <file>', 'similarity.json; of --verify the block that perplexity recommends is checked')
    .option('--max-distance <d>', 'largest distance that the best block may have', distance)
    .option('--expect <start:end>', 'the best block, 0-based: 21:29, or 21..28 as it is printed', singleBlock)
    .option('--min-confidence <c>', 'smallest confidence that it is the best, for example 0.95', confidence)
    .option(
      '--layers-to-skip <n>',
      'size of the block (default: that of --expect, else that of the saved run)',
      wholeNumber(1),
    )
    .addHelpText(
      'after',
      `
Expectations that hold go to stdout, failures to stderr, one per line.
--min-confidence is about the smallest distance, whichever block perplexity recommends. A result of an interrupted
run or of one shard never holds.

Examples:
  layerprune check --from layerprune-output/similarity.json --max-distance 0.25 --expect 21:29
  layerprune check --from layerprune-output/similarity.json --min-confidence 0.95`,
    )
    .action(async (flags: CheckFlags) => (await import('./run/check.js')).run(flags))
}

function distance(value: string): number {
  const number = Number(value)
  if (/^\d*\.?\d+$/.test(value)) return number
  throw new InvalidArgumentError('Expected a number of at least 0, for example 0.25')
}

function singleBlock(value: string): Block {
  try {
    const [block, another] = parseBlocks(value)
    if (another === undefined) return block!
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    throw new InvalidArgumentError(error.message)
  }
  throw new InvalidArgumentError('Expected one block, for example 21:29 or 21..28')
}
