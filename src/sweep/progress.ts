import { createHash } from 'node:crypto'
import type { ChosenCut } from '../documents/sweep-result.js'
import { LayerpruneError } from '../errors.js'
import type { Compared, Evaluator } from '../evaluate/evaluator.js'
import type { Block } from '../layers/block.js'
import type { EncodedText } from '../texts/windows.js'

/** What a sweep has done so far. Numbers survive JSON to the last bit. */
export interface SweepProgress {
  /** Digest of the model and of all options that change numbers. */
  identity: string
  /** All cuts, in whichever shard; undefined until all strategies have chosen. */
  chosen?: ChosenCut[]
  /** What batches gave, by the digest of their tokens and of the candidates. */
  batches: Record<string, SavedCompared[]>
}

/** Numbers of each text; null for what is not finite, which JSON has no word for. */
type SavedCompared = Record<keyof Compared, (number | null)[]>

/** @throws LayerpruneError if the progress is of another sweep */
export function assertSameSweep({ identity }: SweepProgress, expected: string): void {
  if (identity === expected) return
  throw new LayerpruneError('the sweep cannot be resumed: it was made with another model or other flags', {
    hint: 'give the same flags, or start again without --resume',
  })
}

/**
 * An evaluator that remembers what batches gave, and does not run them again.
 * @param label  tells evaluators apart that remember in one place
 * @param onMeasured  called after each batch that was run
 */
export function rememberBatches(
  evaluator: Pick<Evaluator, 'compare' | 'close'>,
  batches: SweepProgress['batches'],
  label: string,
  onMeasured: () => Promise<void>,
): Pick<Evaluator, 'compare' | 'close'> {
  return {
    async compare(batch, candidates) {
      const key = digest([label, candidates, batch.map(({ ids }: EncodedText) => ids)])
      const saved = batches[key]
      if (saved !== undefined) return saved.map(restore)
      const compared = await evaluator.compare(batch, candidates)
      batches[key] = compared.map(save)
      await onMeasured()
      return compared
    },
    close: () => evaluator.close(),
  }
}

/** A digest of values that JSON can hold. */
export function digest(value: unknown[] | Record<string, unknown> | Block[]): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex')
}

function save({ nats, divergences, agreements }: Compared): SavedCompared {
  const listed = (values: Float64Array) =>
    Array.from(values, (value) => (Number.isFinite(value) ? value : null))
  return { nats: listed(nats), divergences: listed(divergences), agreements: listed(agreements) }
}

function restore({ nats, divergences, agreements }: SavedCompared): Compared {
  const numbers = (values: (number | null)[]) => Float64Array.from(values, (value) => value ?? Infinity)
  return { nats: numbers(nats), divergences: numbers(divergences), agreements: numbers(agreements) }
}
