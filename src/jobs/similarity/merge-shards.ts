import { LayerpruneError } from '../../base/errors.js'
import { formatCount, formatList } from '../../base/format-numbers.js'
import { nameFlag, nameOption } from '../../base/name-option.js'
import { listMetrics } from '../../results/documents/metrics.js'
import type { SimilarityResult } from '../../results/documents/similarity-result.js'
import { findDifference, type Identity, identify } from '../run/identity.js'
import { buildResult } from './build-result.js'
import { type Measurement, restoreMeasurement } from './measurement.js'

const MAX_NAMED = 5

/** A result and the file that it was read from, for messages. */
export interface ShardResult {
  file: string
  result: SimilarityResult
}

/**
 * Puts the results of all shards of a dataset together: the result of one run over it, but for the last digit of
 * a mean, and unless the shards ran on different processors.
 * @throws LayerpruneError if one is not a shard's, is partial, or belongs to another model, other settings or
 *   another dataset, or if a shard is there twice or missing
 */
export function mergeShards(shards: ShardResult[]): SimilarityResult {
  const [first] = shards
  if (first === undefined) throw new LayerpruneError('there are no results to merge')
  for (const shard of shards) assertMergeable(shard, first)
  assertComplete(shards)
  const { model, dataset, settings, tokens, layersToSkip, bestBlocks } = first.result
  const everySize = bestBlocks !== undefined
  const measurement = shards
    .map(({ file, result }) => restoreMeasurement(result, file))
    .reduce((merged, other) => addMeasurement(merged, other))
  return buildResult(
    {
      model,
      dataset: nameInResult(dataset),
      settings: { ...settings, metrics: listMetrics(first.result), tokens, layersToSkip, everySize },
    },
    measurement,
    dataset.hashes,
  )
}

function nameInResult({ id, config, split, revision, shares, column }: SimilarityResult['dataset']) {
  return { id, config, split, revision, ...(shares && { shares }), column }
}

/** Every shard skips the same rows without text. */
function addMeasurement(merged: Measurement, other: Measurement): Measurement {
  merged.statistics.add(other.statistics)
  return { ...merged, tokens: merged.tokens + other.tokens, tokenless: merged.tokenless + other.tokenless }
}

function assertMergeable({ file, result }: ShardResult, first: ShardResult): void {
  if (result.shard === undefined) {
    throw new LayerpruneError(`${file} is not the result of a shard`, {
      hint: `measure the parts of a dataset with layerprune similarity ${nameFlag('shard')} i/N`,
    })
  }
  if (result.partial) {
    throw new LayerpruneError(`${file} is partial: its run was interrupted`, {
      hint: 'finish it with the same command and `resumeFrom`',
    })
  }
  const difference =
    findDifference(identifyRun(first.result), identifyRun(result)) ??
    findDifference(identifyTexts(first.result), identifyTexts(result))
  if (difference) {
    throw new LayerpruneError(
      `${file} does not belong with ${first.file}: ${difference.name} is ${difference.second}, there ${difference.first}`,
    )
  }
}

function identifyRun(result: SimilarityResult): Identity {
  return identify(result, listMetrics(result))
}

function identifyTexts({ dataset }: SimilarityResult): Identity {
  return { 'the dataset': dataset.fingerprint.slice(0, 12) }
}

function assertComplete(shards: ShardResult[]): void {
  const count = shards[0]!.result.shard!.count
  const fileOf = new Map<number, string>()
  for (const { file, result } of shards) {
    const shard = result.shard!
    if (shard.count !== count) {
      throw new LayerpruneError(
        `${file} is shard ${shard.index} of ${shard.count}, and ${shards[0]!.file} one of ${count}: they overlap`,
      )
    }
    const other = fileOf.get(shard.index)
    if (other !== undefined) {
      throw new LayerpruneError(`${other} and ${file} are the same shard, ${shard.index} of ${count}`)
    }
    fileOf.set(shard.index, file)
  }
  if (fileOf.size < count) {
    const missing = firstMissing(count, fileOf)
    const more = count - fileOf.size - missing.length
    const list = formatList([...missing.map(String), ...(more > 0 ? [`${formatCount(more)} more`] : [])])
    throw new LayerpruneError(
      `of ${formatCount(count)} shards ${list} ${missing.length === 1 ? 'is' : 'are'} missing`,
      { hint: `measure with ${nameOption('shard', `${missing[0]}/${count}`)}, and name all files` },
    )
  }
}

/** A file can say that there are any number of shards: no more are looked at than it takes to name some. */
function firstMissing(count: number, fileOf: Map<number, string>): number[] {
  const missing: number[] = []
  for (let index = 1; index <= count && missing.length < MAX_NAMED; index++) {
    if (!fileOf.has(index)) missing.push(index)
  }
  return missing
}
