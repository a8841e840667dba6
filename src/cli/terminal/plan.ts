import { formatDistance, formatPerplexity, formatQuantity } from '../../base/format-numbers.js'
import type { GreedyStep } from '../../jobs/strategies/greedy.js'
import { includesLayer } from '../../model/layers/blocks.js'
import { describeLayers } from '../../model/layers/names.js'
import { type Plan, rankLayers } from '../../results/documents/plan.js'
import type { VerifiedBlock } from '../../results/documents/verification.js'
import { formatTable } from './table.js'
import { formatVerification } from './verification.js'

export function formatPlan(plan: Plan, { color = false } = {}): string {
  return [
    ...describeScores(plan, color),
    ...describeTexts(plan),
    `Remove ${describeLayers(plan.model.layers, plan.removed)}, by ${plan.strategy}.`,
  ].join('\n')
}

function describeScores(plan: Plan, color: boolean): string[] {
  const { strategy, scores } = plan
  if (scores?.objective === 'kl') return [formatDivergences(scores.steps as { layer: number; kl: number }[]), '']
  if (scores?.task !== undefined) {
    const title = `${strategy === 'repaired' ? 'repaired ' : ''}perplexity of right answers after`
    return [formatSteps(scores.steps as GreedyStep[], title), '']
  }
  switch (strategy) {
    case 'angular':
      return [`angular distance ${formatDistance(scores!.distance as number)}`]
    case 'block-influence':
      return [formatInfluence(plan), '']
    case 'greedy-perplexity':
      return [formatSteps(scores!.steps as GreedyStep[], 'perplexity after'), '']
    case 'repaired':
      return [formatSteps(scores!.steps as GreedyStep[], 'repaired perplexity after'), '']
    case 'verified':
      return [formatVerification(scores!.blocks as VerifiedBlock[], scores!.wholePerplexity as number, { color }), '']
    default:
      return []
  }
}

function formatInfluence(plan: Plan): string {
  const ranked = rankLayers(plan)!.map((scored, index) => ({ ...scored, rank: index + 1 }))
  return formatTable(
    [
      { title: 'layer', align: 'right' },
      { title: 'block influence', align: 'right' },
      { title: 'rank', align: 'right' },
      { title: '', align: 'left' },
    ],
    ranked
      .sort((a, b) => a.layer - b.layer)
      .map(({ layer, influence, rank }) => [
        `${layer}`,
        formatDistance(influence),
        `${rank}`,
        includesLayer(plan.removed, layer) ? '<- removed' : '',
      ]),
  )
}

function formatDivergences(steps: { layer: number; kl: number }[]): string {
  return formatTable(
    [
      { title: 'layer removed', align: 'right' },
      { title: 'KL after', align: 'right' },
    ],
    steps.map(({ layer, kl }) => [`${layer}`, formatDistance(kl)]),
  )
}

function formatSteps(steps: GreedyStep[], title: string): string {
  return formatTable(
    [
      { title: 'layer removed', align: 'right' },
      { title, align: 'right' },
    ],
    steps.map(({ layer, perplexity }) => [`${layer}`, formatPerplexity(perplexity)]),
  )
}

function describeTexts({ dataset }: Plan): string[] {
  if (dataset === undefined) return []
  const { texts, maxLength, verification, documents, split, repair } = dataset as {
    texts: number
    documents?: number
    split?: string
    repair?: { texts: number }
    maxLength: number
    verification?: { skippedTexts: number; texts: number }
  }
  if (documents !== undefined) {
    const fitted = repair ? `, repaired on the first ${formatQuantity(repair.texts, 'text')}` : ''
    return [`Chosen on ${formatQuantity(documents, 'document')} of the split ${split}${fitted}.`]
  }
  const checked = verification ? `; checked on the next ${formatQuantity(verification.texts, 'text')}` : ''
  return [`Chosen on the first ${formatQuantity(texts, 'text')} of at most ${maxLength} tokens${checked}.`]
}
