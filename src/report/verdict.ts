import { describeMetric } from '../documents/metrics.js'
import { findCertainty, recommendBlock } from '../documents/result-views.js'
import type { ReportedResult } from '../documents/verification.js'
import {
  formatConfidence,
  formatDistance,
  formatEstimate,
  formatList,
  formatPerplexity,
  formatQuantity,
} from '../format-numbers.js'
import type { Block } from '../layers/block.js'
import { formatLayers, nameLayers } from '../layers/names.js'

/** How sure a recommendation is, as its badge shows at a glance. */
export type Sureness = 'sure' | 'unsure' | 'unknown'

/** Which layers to remove, and how sure that is, in the words of the page. */
export interface Verdict extends Block {
  headline: string
  /** How large the block is and how far the stream rotates across it. */
  detail: string
  sureness: Sureness
  badge: string
  /** Why it is as sure as that. */
  reason: string
}

const MAX_NAMED = 4

/**
 * What a result recommends for a block of `n` layers: for the size it was measured for, the block that perplexity
 * picked if that was asked for, else the one of the smallest distance.
 */
export function reachVerdict(result: ReportedResult, n: number): Verdict {
  const { model, metric, distances, standardErrors } = result
  const { start, end } = recommendBlock(result, n)
  const estimate = formatEstimate(distances[n]![start]!, standardErrors[n]![start]!)
  return {
    start,
    end,
    headline: `Remove ${nameLayers({ start, end })}`,
    detail: `${n} of ${formatQuantity(model.layers, 'layer')}, 0-based · ${describeMetric(metric).title} ${estimate}`,
    ...judge(result, n),
  }
}

type Judgement = Pick<Verdict, 'sureness' | 'badge' | 'reason'>

function judge(result: ReportedResult, n: number): Judgement {
  const { dataset, layersToSkip, verification } = result
  const judged = judgeDistances(result, n)
  if (result.partial || result.shard) {
    return {
      sureness: 'unsure',
      badge: result.partial ? 'Interrupted run' : 'One shard only',
      reason: `Only ${formatQuantity(dataset.samples, 'text')} of the dataset were measured. ${judged.reason}`,
    }
  }
  if (n !== layersToSkip || verification === undefined) return judged
  const { recommended, perplexity } = verification
  const agrees = recommended.distanceRank === 1
  return {
    sureness: agrees ? judged.sureness : 'unknown',
    badge: agrees ? judged.badge : 'Checked by perplexity',
    reason:
      `Perplexity on ${formatQuantity(verification.dataset.texts, 'other text')} ` +
      `${agrees ? 'picks the same block' : `picks it over ${nameLayers(result.best)}, the smallest distance`}: ` +
      `${recommended.perplexity === null ? 'not finite' : formatPerplexity(recommended.perplexity)}, ` +
      `whole model ${formatPerplexity(perplexity)}. ${agrees ? judged.reason : ''}`.trim(),
  }
}

/** How sure it is by distance alone that the block with the smallest one is the best of its size. */
function judgeDistances(result: ReportedResult, n: number): Judgement {
  const { metric, dataset, certainty: asked } = result
  const texts = formatQuantity(dataset.samples, 'text')
  if (asked === null) {
    return { sureness: 'unknown', badge: 'Certainty not known', reason: 'Only one text was measured.' }
  }
  const certainty = findCertainty(result, n)
  if (certainty === null) return judgeUnknown(result, n)
  const { confidence, indistinguishable } = certainty
  return indistinguishable.length === 0
    ? {
        sureness: 'sure',
        badge: `Sure: ${formatConfidence(confidence)}`,
        reason: `That confident after ${texts} that no other block ${describeMetric(metric).verb} the stream less.`,
      }
    : {
        sureness: 'unsure',
        badge: 'Not sure yet',
        reason:
          `After ${texts} ${nameSome(indistinguishable.map((start) => ({ start, end: start + n })))} may be as good ` +
          `or better (at ${formatConfidence(asked.level)} confidence). More texts may settle it.`,
      }
}

/** Of a result that compared only blocks of the size asked for. */
function judgeUnknown({ distances }: ReportedResult, n: number): Judgement {
  const row = distances[n]!
  const others = row.map((distance, start) => ({ start, end: start + n, distance }))
  const [best, second] = others.sort((a, b) => a.distance - b.distance || a.start - b.start)
  return {
    sureness: 'unknown',
    badge: 'Certainty not known',
    reason: [
      ...(second === undefined
        ? []
        : [`Next best: ${nameLayers(second)}, ${formatDistance(second.distance - best!.distance)} more.`]),
      `How sure it is was not measured for blocks of ${n}: --layers-to-skip ${n} measures it.`,
    ].join(' '),
  }
}

function nameSome(blocks: Block[]): string {
  const named = blocks.slice(0, MAX_NAMED).map(formatLayers)
  const more = blocks.length - named.length
  return `${blocks.length === 1 && blocks[0]!.end - blocks[0]!.start === 1 ? 'layer' : 'layers'} ${formatList(more > 0 ? [...named, `${more} other blocks`] : named)}`
}
