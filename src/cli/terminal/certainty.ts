import {
  formatConfidence,
  formatDistance,
  formatEstimate,
  formatFoundConfidence,
  formatList,
  formatQuantity,
} from '../../base/format-numbers.js'
import { nameLayers } from '../../model/layers/names.js'
import type { Certainty } from '../../results/documents/certainty.js'
import type { SimilarityResult } from '../../results/documents/similarity-result.js'

const MAX_NAMED = 5

/** The lead of the nearest block over the second, and the confidence in it: one line per fact, if known. */
export function describeCertainty({ blocks, best, certainty, tokens }: SimilarityResult): string[] {
  const others = blocks.filter(({ start }) => start !== best.start)
  if (others.length === 0) return []
  const second = others.reduce((a, b) => (b.distance < a.distance ? b : a))
  const gap = certainty?.runnerUp
    ? `${formatEstimate(certainty.runnerUp.difference, certainty.runnerUp.standardError)} more over the same texts`
    : `${formatDistance(second.distance - best.distance)} more`
  return [
    `Second nearest: ${nameLayers(second)}, ${formatEstimate(second.distance, second.standardError)}, ${gap}.`,
    ...(certainty ? [describeConfidence(certainty, tokens)] : []),
  ]
}

function describeConfidence(certainty: Certainty, tokens: SimilarityResult['tokens']): string {
  const { confidence, level, texts, indistinguishable } = certainty
  const after = `confidence after ${formatQuantity(texts, 'text')}`
  if (indistinguishable.length === 0) return `Nearest with ${formatFoundConfidence(confidence)} ${after}.`
  const named = indistinguishable.slice(0, MAX_NAMED).map(nameLayers)
  const more = indistinguishable.length - named.length
  const list = formatList(more > 0 ? [...named, `${more} more`] : named)
  const advice = tokens === 'last' ? '; more texts can, --tokens tail:32 sooner' : '; more texts can'
  return `Cannot be told apart from ${list} at ${formatConfidence(level)} ${after}${advice}.`
}
