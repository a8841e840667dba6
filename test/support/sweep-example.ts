import type { SweepCandidate, SweepResult } from '../../src/results/documents/sweep-result.js'
import { evaluationOf } from './evaluation-example.js'

/**
 * A sweep of a model of 30 layers and 300 MB by the strategies angular and deepest, of 4 MB a layer.
 * @param ratios  for each size from 1 on, the perplexity of both cuts over that of the whole model
 */
export function sweepOf(ratios: [angular: number | null, deepest: number | null][]): SweepResult {
  const { model, dataset, settings, perplexity: whole, layerpruneVersion } = evaluationOf([])
  const candidates = ratios.flatMap((pair, index) =>
    pair.map((ratio, place): SweepCandidate => {
      const n = index + 1
      const start = place === 0 ? 5 : 29 - n
      const cut = {
        strategies: [place === 0 ? 'angular' : 'deepest'],
        layersToSkip: n,
        removed: [{ start, end: start + n }],
        distance: 0.1,
        parameters: 1e8 - 1e6 * n,
        bytes: 300e6 - 4e6 * n,
        tokensPerSecond: 1000 + 50 * n,
        texts: 32,
      }
      if (ratio === null) return { ...cut, perplexity: null }
      const excess = { difference: Math.log(ratio), standardError: 0.01 }
      const measured = { perplexity: ratio * whole, standardError: 1, bitsPerByte: 1.2, excess }
      return { ...cut, ...measured, kl: Math.log(ratio) * 0.8, agreement: 1 / ratio }
    }),
  )
  return {
    schema: 'layerprune.sweep/1',
    model,
    dataset: { ...dataset, skippedTexts: 32 },
    settings,
    strategies: ['angular', 'deepest'],
    sizes: ratios.map((_, index) => index + 1),
    whole: {
      perplexity: whole,
      standardError: 0.5,
      bitsPerByte: 1,
      parameters: 1e8,
      bytes: 300e6,
      tokensPerSecond: 1000,
    },
    candidates,
    limits: {},
    recommended: null,
    layerpruneVersion,
  }
}
