import { LayerpruneError } from '../../base/errors.js'
import { formatList, formatQuantity } from '../../base/format-numbers.js'
import type { Shard } from '../../texts/tokens/placed-rows.js'

/** Missing shards that are named. */
const MOST_NAMED = 5

/**
 * Checks that shards are all of one run, each once.
 * @param shards  with the file that each was read from
 * @throws LayerpruneError if one is of another number of shards, is there twice or is missing
 */
export function assertCompleteShards(shards: { file: string; shard: Shard }[]): void {
  const [first] = shards as [{ file: string; shard: Shard }]
  const { count } = first.shard
  const files = new Map<number, string>()
  for (const { file, shard } of shards) {
    if (shard.count !== count) {
      throw new LayerpruneError(`${file} is one of ${shard.count} shards, ${first.file} one of ${count}`)
    }
    const other = files.get(shard.index)
    if (other !== undefined) {
      throw new LayerpruneError(`${other} and ${file} are both shard ${shard.index} of ${count}`)
    }
    files.set(shard.index, file)
  }
  const missing: number[] = []
  // a file can say that there are any number of shards
  for (let index = 1; index <= count && missing.length < MOST_NAMED; index++) {
    if (!files.has(index)) missing.push(index)
  }
  const absent = count - files.size
  if (absent === 0) return
  throw new LayerpruneError(
    `${formatQuantity(absent, 'shard')} of ${count} ${absent === 1 ? 'is' : 'are'} missing: ${formatList(missing.map(String))}${absent > missing.length ? ', ...' : ''}`,
  )
}
