import { createHash } from 'node:crypto'
import { LayerpruneError } from '../../base/errors.js'
import { formatQuantity } from '../../base/format-numbers.js'
import { nameOption } from '../../base/name-option.js'
import type { EvaluationShard, TextFigures } from '../../results/documents/evaluation-result.js'
import { isInShard, type Shard } from '../../texts/tokens/placed-rows.js'
import type { EncodedText } from '../../texts/tokens/windows.js'

/** The record of a shard for `mergeEvaluations`, with an unsharded run's batches: last digits depend on them. */
export class ShardRecord {
  readonly #shard: Shard
  readonly #fingerprint = createHash('sha256')
  readonly #batches: TextFigures[][] = []
  #seen = 0

  constructor(shard: Shard) {
    this.#shard = shard
  }

  /** Whether the next batch is the shard's. */
  takes(batch: EncodedText[]): boolean {
    for (const { ids } of batch) this.#fingerprint.update(`${ids.join(' ')}\n`)
    return isInShard(this.#seen++, this.#shard)
  }

  add(figures: TextFigures[]): void {
    this.#batches.push(figures)
  }

  /** @throws LayerpruneError if there are batches, and none of them is the shard's */
  save(): EvaluationShard {
    const { index, count } = this.#shard
    if (this.#batches.length === 0 && this.#seen > 0) {
      throw new LayerpruneError(
        `shard ${index} of ${count} has no text: the texts make ${formatQuantity(this.#seen, 'batch', 'batches')}, which are not divided`,
        {
          hint: `use at most ${formatQuantity(this.#seen, 'shard')}, or a smaller ${nameOption('batchSize')}`,
        },
      )
    }
    return { index, count, textsFingerprint: this.#fingerprint.digest('hex'), batches: this.#batches }
  }
}
