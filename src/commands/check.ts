import { Command, InvalidArgumentError } from 'commander'
import { UsageError } from '../errors.js'
import type { Block } from '../layers/block.js'
import { parseBlocks } from '../layers/blocks.js'
import { confidence, wholeNumber } from './arguments.js'

interface Flags {
  from: string
  maxDistance?: number
  expect?: Block
  minConfidence?: number
  layersToSkip?: number
}

export function makeCheckCommand(): Command {
  return new Command('check')
    .description('Compare a saved result with expectations, for CI: exit code 1 if one does not hold.')
    .requiredOption(
      '--from <file>',
      'similarity.json; of --verify the block that perplexity recommends is checked',
    )
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
    .action(runCheck)
}

async function runCheck({ from, expect, ...flags }: Flags): Promise<void> {
  const [{ checkResult }, { readSimilarityResult }, { noteRecommendation }, output, { LayerpruneError }] =
    await Promise.all([
      import('../similarity/check-result.js'),
      import('../documents/read-saved.js'),
      import('./note-recommendation.js'),
      import('../terminal/output.js'),
      import('../errors.js'),
    ])
  const result = await readSimilarityResult(from)
  const checks = checkResult(result, { ...flags, block: expect })
  noteRecommendation(
    from,
    result,
    expect ? expect.end - expect.start : (flags.layersToSkip ?? result.layersToSkip),
  )
  const held = checks.filter(({ holds }) => holds)
  if (held.length > 0) await output.printResult(held.map(({ text }) => `holds: ${text}`).join('\n'))
  for (const { text } of checks.filter(({ holds }) => !holds)) {
    output.printFailure(new LayerpruneError(text))
    process.exitCode = 1
  }
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
