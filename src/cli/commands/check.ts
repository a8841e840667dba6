import { Command, InvalidArgumentError } from 'commander'
import { UsageError } from '../../base/errors.js'
import type { Block } from '../../model/layers/block.js'
import { parseBlocks } from '../../model/layers/blocks.js'
import { confidence, leastAccuracy, memorySize, ratioAboveOne, wholeNumber } from './arguments.js'
import type { CheckFlags } from './run/check.js'

export function makeCheckCommand(): Command {
  return new Command('check')
    .description('Compare a saved result with expectations, for CI: exit code 1 if one does not hold.')
    .requiredOption(
      '--from <file>',
      'what was saved: a similarity result, sweep, evaluation, plan, or a folder that prune wrote',
    )
    .option('--max-distance <d>', 'largest distance that the best block may have', atLeastZero)
    .option('--expect <start:end>', 'the best block, 0-based: 21:29, or 21..28 as it is printed', singleBlock)
    .option('--min-confidence <c>', 'smallest confidence that it is the best, for example 0.95', confidence)
    .option(
      '--layers-to-skip <n>',
      'size of the block (default: that of --expect, else that of the saved run)',
      wholeNumber(1),
    )
    .option(
      '--max-perplexity-ratio <x>',
      'the largest perplexity of a cut, as a multiple of the whole model, for example 1.25',
      ratioAboveOne,
    )
    .option('--max-kl <nats>', 'the largest KL divergence of a cut from the whole model, per token', atLeastZero)
    .option('--max-size <size>', 'the largest size of the weights of a cut on disk, for example 1GB', memorySize)
    .option(
      '--min-task <name=accuracy>',
      'the least accuracy of a cut on a task, for example arc_easy=0.55 (repeatable)',
      leastAccuracy,
    )
    .option('--quiet', 'print nothing but the result, warnings and errors')
    .addHelpText(
      'after',
      `
Expectations that hold go to stdout, failures to stderr, one per line. Of a similarity result and a sweep, what they
recommend is checked, of an evaluation each of its cuts, or the model that was compared with --against.
--min-confidence is about the smallest distance, whichever block perplexity recommends. A result of an interrupted
run or of one shard never holds.

Examples:
  layerprune check --from layerprune-output/similarity.json --max-distance 0.25 --expect 21:29
  layerprune check --from layerprune-output/similarity.json --min-confidence 0.95
  layerprune check --from evaluation.json --max-perplexity-ratio 1.3 --max-kl 0.3 --min-task arc_easy=0.5
  layerprune check --from layerprune-sweep/sweep.json --max-perplexity-ratio 1.25`,
    )
    .action(async (flags: CheckFlags) => (await import('./run/check.js')).run(flags))
}

function atLeastZero(value: string): number {
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
