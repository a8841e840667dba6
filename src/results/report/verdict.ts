import {
  formatConfidence,
  formatDistance,
  formatEstimate,
  formatFoundConfidence,
  formatList,
  formatPerplexity,
  formatQuantity,
} from '../../base/format-numbers.js'
import { nameFlag } from '../../base/name-option.js'
import type { Block } from '../../model/layers/block.js'
import { countLayers } from '../../model/layers/count-layers.js'
import { formatLayers, nameLayers } from '../../model/layers/names.js'
import { describeMetric } from '../documents/metrics.js'
import { findCertainty, recommendBlock } from '../documents/result-views.js'
import type { ReportedResult, Verification } from '../documents/verification.js'
import { isSameCut } from './model-story.js'
import { type Checks, findTaskFigures, formatTask } from './task-figures.js'

/** What a recommendation rests on: a run of the cut model, distances alone, or part of the texts. */
export type Standing = 'checked' | 'nearest' | 'partial'

/** Which layers to remove, and the evidence, in the words of the page. */
export interface Verdict extends Block {
  headline: string
  /** The size of the block and its distance. */
  detail: string
  standing: Standing
  badge: string
  /** The finding and its confidence. */
  reason: string
}

const MAX_NAMED = 4
const NO_CHECKS: Checks = { evaluations: [], tasks: [], sweeps: [] }

/**
 * The verdict on blocks of `n` layers: for the size that the run asked for, the block that perplexity picked if blocks
 * were verified, else the nearest. Only a block whose cut was run is called one to remove.
 */
export function reachVerdict(result: ReportedResult, n: number, checks: Checks = NO_CHECKS): Verdict {
  const { model, metric, distances, standardErrors } = result
  const block = recommendBlock(result, n)
  const estimate = formatEstimate(distances[n]![block.start]!, standardErrors[n]![block.start]!)
  const judgement = judge(result, n, block, checks)
  return {
    ...block,
    headline: `${judgement.standing === 'checked' ? 'Remove' : 'Nearest block:'} ${nameLayers(block)}`,
    detail: `${n} of ${formatQuantity(model.layers, 'layer')}, 0-based · ${describeMetric(metric).title} ${estimate}`,
    ...judgement,
  }
}

type Judgement = Pick<Verdict, 'standing' | 'badge' | 'reason'>

function judge(result: ReportedResult, n: number, block: Block, checks: Checks): Judgement {
  const { dataset, layersToSkip, verification } = result
  const certainty = describeDistances(result, n)
  if (result.partial || result.shard) {
    return {
      standing: 'partial',
      badge: result.partial ? 'Interrupted run' : 'One shard only',
      reason: `Only ${formatQuantity(dataset.samples, 'text')} of the dataset were measured. ${certainty}`,
    }
  }
  const perplexity =
    n === layersToSkip && verification !== undefined
      ? { isBest: true, reason: describeVerification(verification, result.best) }
      : findEvaluated(checks, block, n)
  const tasks = describeTasks(checks, block)
  const by = [...(perplexity ? ['by perplexity'] : []), ...(tasks ? ['by task'] : [])]
  const isChecked = by.length > 0 && (perplexity?.isBest ?? true)
  return {
    standing: isChecked ? 'checked' : 'nearest',
    badge: isChecked ? `Checked ${formatList(by)}` : 'Nearest block',
    reason: [
      ...(perplexity ? [perplexity.reason] : []),
      ...(tasks ? [tasks] : []),
      certainty,
      ...(by.length === 0 ? [`Not checked: ${nameFlag('verify')} 8 checks the nearest by perplexity.`] : []),
    ].join(' '),
  }
}

function describeVerification({ recommended, perplexity, dataset }: Verification, nearest: Block): string {
  const picks =
    recommended.distanceRank === 1 ? 'picks the nearest block' : `picks it over the nearest, ${nameLayers(nearest)}`
  const value = recommended.perplexity === null ? 'not finite' : formatPerplexity(recommended.perplexity)
  return `Perplexity on ${formatQuantity(dataset.texts, 'other text')} ${picks}: ${value}, whole model ${formatPerplexity(perplexity)}.`
}

/** How a block does in the evaluations, and whether none of its cuts of the same size is better. */
function findEvaluated(
  { evaluations }: Checks,
  block: Block,
  n: number,
): { isBest: boolean; reason: string } | undefined {
  for (const { document } of evaluations) {
    const finite = document.candidates.flatMap((cut) =>
      cut.perplexity !== null && countLayers(cut.removed) === n
        ? [{ removed: cut.removed, perplexity: cut.perplexity }]
        : [],
    )
    const own = finite.find(({ removed }) => isSameCut(removed, [block]))
    if (own === undefined) continue
    const best = finite.reduce((a, b) => (b.perplexity < a.perplexity ? b : a))
    const isBest = best.perplexity === own.perplexity
    const figures = `${formatPerplexity(own.perplexity)} on ${formatQuantity(document.dataset.texts, 'text')}, whole model ${formatPerplexity(document.perplexity)}`
    const better = `; without ${best.removed.map(nameLayers).join(', ')} it is ${formatPerplexity(best.perplexity)}`
    return { isBest, reason: `Perplexity ${figures}${isBest ? '' : better}.` }
  }
  return undefined
}

function describeTasks(checks: Checks, block: Block): string | undefined {
  const whole = findTaskFigures(checks, [])
  const found = [...findTaskFigures(checks, [block])].flatMap(([name, figures]) =>
    figures === null ? [] : [`${name} ${formatTask(figures)} (whole ${formatTask(whole.get(name)!)})`],
  )
  return found.length === 0 ? undefined : `${formatList(found)}.`
}

/** How sure it is by distance that the block with the smallest one is the nearest of its size. */
function describeDistances(result: ReportedResult, n: number): string {
  const { metric, dataset, certainty: asked } = result
  const texts = formatQuantity(dataset.samples, 'text')
  if (asked === null) return 'Only one text was measured.'
  const certainty = findCertainty(result, n)
  if (certainty === null) return describeUnknown(result, n)
  const { confidence, indistinguishable } = certainty
  if (indistinguishable.length === 0) {
    return `${formatFoundConfidence(confidence)} confident after ${texts} that no other block ${describeMetric(metric).verb} the stream less.`.replace(
      /^./,
      (letter) => letter.toUpperCase(),
    )
  }
  const rivals = nameSome(indistinguishable.map((start) => ({ start, end: start + n })))
  return (
    `After ${texts} ${rivals} may be as near or nearer ` +
    `(at ${formatConfidence(asked.level)} confidence); more texts may settle it.`
  )
}

/** For a result that compared only blocks of the size asked for. */
function describeUnknown({ distances }: ReportedResult, n: number): string {
  const row = distances[n]!
  const others = row.map((distance, start) => ({ start, end: start + n, distance }))
  const [best, second] = others.sort((a, b) => a.distance - b.distance || a.start - b.start)
  return [
    ...(second === undefined
      ? []
      : [`Next nearest: ${nameLayers(second)}, ${formatDistance(second.distance - best!.distance)} more.`]),
    `How sure it is was not measured for blocks of ${n}: ${nameFlag('layersToSkip')} ${n} measures it.`,
  ].join(' ')
}

function nameSome(blocks: Block[]): string {
  const named = blocks.slice(0, MAX_NAMED).map(formatLayers)
  const more = blocks.length - named.length
  return `${blocks.length === 1 && blocks[0]!.end - blocks[0]!.start === 1 ? 'layer' : 'layers'} ${formatList(more > 0 ? [...named, `${more} other blocks`] : named)}`
}
