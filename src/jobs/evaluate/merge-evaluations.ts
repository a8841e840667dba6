import { isDeepStrictEqual } from 'node:util'
import { LayerpruneError } from '../../base/errors.js'
import { nameFlag } from '../../base/name-option.js'
import { assertCompleteShards } from '../../results/documents/complete-shards.js'
import type { EvaluationResult, EvaluationShard } from '../../results/documents/evaluation-result.js'
import { EvaluationSums } from './evaluation-sums.js'

/** A shard of an evaluation and the file that it was read from, for messages. */
export interface EvaluationPart {
  file: string
  evaluation: EvaluationResult
}

type Part = EvaluationPart & { shard: EvaluationShard }

/**
 * Merges evaluation shards into what one run would have measured, to the last bit if processors are alike.
 * @throws LayerpruneError if one is not a shard, belongs to another evaluation, is there twice or is missing
 */
export function mergeEvaluations(parts: EvaluationPart[]): EvaluationResult {
  const [first] = parts
  if (first === undefined) throw new LayerpruneError('there are no evaluations to merge')
  const shards = parts.map(asShard)
  for (const shard of shards) assertSameEvaluation(shard, shards[0]!)
  assertCompleteShards(shards)
  const { shard: _, ...whole } = first.evaluation
  const sums = new EvaluationSums(whole.candidates.map(({ removed }) => removed))
  for (const text of takeInTurn(shards)) sums.addText(text)
  return { ...whole, dataset: { ...whole.dataset, ...sums.counts() }, ...sums.figures() }
}

/** The texts of all batches in the order in which one run has them: every Nth batch is in a shard. */
function takeInTurn(shards: Part[]) {
  const byIndex = shards.toSorted((a, b) => a.shard.index - b.shard.index)
  const most = Math.max(...byIndex.map(({ shard }) => shard.batches.length))
  return Array.from({ length: most }, (_, place) => byIndex.flatMap(({ shard }) => shard.batches[place] ?? [])).flat()
}

function asShard({ file, evaluation }: EvaluationPart): Part {
  const { shard, candidates } = evaluation
  if (shard === undefined) {
    throw new LayerpruneError(`${file} is not a shard of an evaluation`, {
      hint: `measure a part of the texts with layerprune evaluate ${nameFlag('shard')} i/N`,
    })
  }
  const isWhole = shard.batches.flat().every(({ scores }) => scores.length === candidates.length + 1)
  if (!isWhole) {
    throw new LayerpruneError(`${file} contradicts itself: a text has not a score for each candidate`)
  }
  return { file, evaluation, shard }
}

function assertSameEvaluation(part: Part, first: Part): void {
  const [found, expected] = [identify(part), identify(first)]
  const differing = Object.keys(expected).find((key) => !isDeepStrictEqual(found[key], expected[key]))
  if (differing === undefined) return
  throw new LayerpruneError(`${part.file} and ${first.file} belong to different evaluations: ${differing} differ`)
}

/** Properties that the shards of one evaluation share, keyed by their name in messages. */
function identify({ evaluation, shard }: Part): Record<string, unknown> {
  const { model, dataset, settings, candidates, layerpruneVersion } = evaluation
  const { id, revision, askedRevision, base, ...sameModel } = model
  const { column, shares, skippedTexts, skipped } = dataset
  return {
    'their versions of layerprune': layerpruneVersion,
    'their models': sameModel,
    'their settings': settings,
    'their candidates': candidates.map(({ removed }) => removed),
    'their datasets': {
      column,
      shares: shares?.map(({ share, revision }) => [share, revision]),
      skippedTexts,
      skipped,
    },
    'their texts': shard.textsFingerprint,
  }
}
