import { anytimeTail } from '../../base/statistics/sequential.js'
import { upperTail } from '../../base/statistics/student-t.js'
import type { Difference } from '../../base/statistics/text-statistics.js'
import type { Block } from '../../model/layers/block.js'

/** A block against the best one, over the same texts. */
export interface ComparedBlock extends Block, Difference {
  /** How often at most a difference like this one shows up if the block is no worse; for all blocks at once. */
  p: number
}

/** The confidence that the best block of a result really is the best. */
export interface Certainty {
  /** At least this much, 0 to 1. */
  confidence: number
  /** Texts it was gained from. */
  texts: number
  /** `fixed`: the number of texts was settled beforehand. `sequential`: the run looked at the numbers to stop. */
  test: 'fixed' | 'sequential'
  /** The confidence that was asked for, or 0.95: what `indistinguishable` is measured by. */
  level: number
  /** The block of the second smallest distance. */
  runnerUp: ComparedBlock | null
  /** Blocks that may be better than the best one, by start: those whose p is above 1 - level. */
  indistinguishable: ComparedBlock[]
}

/** The certainty of one of many sizes; texts, test and level are the same for all. */
export interface SizeCertainty extends Pick<Certainty, 'confidence' | 'runnerUp'> {
  /** First layers of the blocks that may be better than the best one. */
  indistinguishable: number[]
}

export function summarizeCertainty({ confidence, runnerUp, indistinguishable }: Certainty): SizeCertainty {
  return { confidence, runnerUp, indistinguishable: indistinguishable.map(({ start }) => start) }
}

export interface ComparisonOptions {
  texts: number
  test: 'fixed' | 'sequential'
  level: number
}

/**
 * Compares the best block with every other over the same texts, and estimates the confidence that it is the best.
 *
 * Each comparison is one-sided, with Student's t of the paired difference: for a number of texts settled
 * beforehand its tail, for a run that stops by what it sees a tail that holds at all times (`anytimeTail`). The
 * best block was picked by the same numbers, so each p is multiplied by the number of blocks. That is enough:
 * if block k is truly the best, or tied with others, a wrong claim for block b needs b to beat k, and there
 * are no more b than blocks (multiple comparisons with the best: Hsu 1984, Annals of Statistics 12, with
 * Bonferroni's inequality instead of Dunnett's table). The confidence is 1 less the largest p.
 * Texts that do not differ at all are copies of each other and prove nothing: p is 1.
 * @param blocks   of one size, by start
 * @param compare  mean of the first block less mean of the second, over the same texts
 */
export function assessBest(
  blocks: Block[],
  best: Block,
  compare: (block: Block, best: Block) => Difference,
  { texts, test, level }: ComparisonOptions,
): Certainty {
  const others = blocks
    .filter(({ start }) => start !== best.start)
    .map(({ start, end }): ComparedBlock => {
      const { difference, standardError } = compare({ start, end }, best)
      const tail = tailOf(difference, standardError, texts, test)
      return { start, end, difference, standardError, p: Math.min(1, blocks.length * tail) }
    })
  return {
    confidence: others.reduce((confidence, { p }) => Math.min(confidence, 1 - p), 1),
    texts,
    test,
    level,
    runnerUp: others.reduce<ComparedBlock | null>((a, b) => (a === null || b.difference < a.difference ? b : a), null),
    indistinguishable: others.filter(({ p }) => p > 1 - level),
  }
}

function tailOf(difference: number, standardError: number | null, texts: number, test: 'fixed' | 'sequential'): number {
  if (standardError === null || standardError === 0) return 1
  const t = difference / standardError
  return test === 'fixed' ? upperTail(t, texts - 1) : anytimeTail(t, texts)
}
