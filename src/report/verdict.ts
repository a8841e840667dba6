import {
  formatConfidence,
  formatDistance,
  formatEstimate,
  formatList,
  formatPerplexity,
  formatQuantity,
} from '../format-numbers.js'
import { formatLayers, nameLayers } from '../layer-names.js'
import { findBestBlock } from '../similarity/blocks.js'
import { describeMetric } from '../similarity/metrics.js'
import type { Block } from '../similarity/result.js'
import type { ReportedResult } from './read-saved.js'

/** How sure a recommendation is, as its badge tells at a glance. */
export type Sureness = 'sure' | 'unsure' | 'unknown'

/** Which layers go, and how sure that is, in the words of the page. */
export interface Verdict extends Block {
  headline: string
  /** How large the block is and how far the stream turns across it. */
  detail: string
  sureness: Sureness
  badge: string
  /** Why it is as sure as that. */
  reason: string
}

const MAX_NAMED = 4

/**
 * What a result recommends for a block of `n` layers: for the size it was measured for the block that perplexity
 * picked, where that was asked, else the smallest distance.
 */
export function reachVerdict(result: ReportedResult, n: number): Verdict {
  const { model, metric, distances, standardErrors, layersToSkip, verification } = result
  const asked = n === layersToSkip
  const nearest = findBestBlock(distances, n)
  const { start, end } = (asked && verification?.recommended) || nearest
  const estimate = formatEstimate(distances[n]![start]!, standardErrors[n]![start]!)
  return {
    start,
    end,
    headline: `Remove ${nameLayers({ start, end })}`,
    detail: `${n} of ${formatQuantity(model.layers, 'layer')}, 0-based · ${describeMetric(metric).title} ${estimate}`,
    ...(asked ? judgeAsked(result) : judgeOther(result, n, nearest)),
  }
}

type Judgement = Pick<Verdict, 'sureness' | 'badge' | 'reason'>

function judgeAsked(result: ReportedResult): Judgement {
  const { metric, certainty, dataset, verification } = result
  const judged: Judgement =
    certainty === null
      ? { sureness: 'unknown', badge: 'Certainty not known', reason: 'One text alone was measured.' }
      : certainty.indistinguishable.length === 0
        ? {
            sureness: 'sure',
            badge: `Sure: ${formatConfidence(certainty.confidence)}`,
            reason: `That confident after ${formatQuantity(certainty.texts, 'text')} that no other block ${describeMetric(metric).verb} less.`,
          }
        : {
            sureness: 'unsure',
            badge: 'Not sure yet',
            reason:
              `After ${formatQuantity(certainty.texts, 'text')} ${nameSome(certainty.indistinguishable)} may be as good ` +
              `or better (at ${formatConfidence(certainty.level)} confidence). More texts can tell.`,
          }
  if (result.partial || result.shard) {
    return {
      sureness: 'unsure',
      badge: result.partial ? 'Interrupted run' : 'One shard only',
      reason: `Only ${formatQuantity(dataset.samples, 'text')} of the dataset were measured. ${judged.reason}`,
    }
  }
  if (verification === undefined) return judged
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

/** The paired differences that certainty needs are kept for the size asked for alone. */
function judgeOther({ distances, layersToSkip }: ReportedResult, n: number, best: Block): Judgement {
  const row = distances[n]!
  const others = row.map((distance, start) => ({ start, end: start + n, distance })).toSpliced(best.start, 1)
  const second = others.sort((a, b) => a.distance - b.distance)[0]
  return {
    sureness: 'unknown',
    badge: 'Certainty not known',
    reason: [
      ...(second === undefined
        ? []
        : [`Next best: ${nameLayers(second)}, ${formatDistance(second.distance - row[best.start]!)} more.`]),
      `How sure it is was measured for blocks of ${layersToSkip} only: --layers-to-skip ${n} measures it here.`,
    ].join(' '),
  }
}

function nameSome(blocks: Block[]): string {
  const named = blocks.slice(0, MAX_NAMED).map(formatLayers)
  const more = blocks.length - named.length
  return `${blocks.length === 1 && blocks[0]!.end - blocks[0]!.start === 1 ? 'layer' : 'layers'} ${formatList(more > 0 ? [...named, `${more} other blocks`] : named)}`
}
