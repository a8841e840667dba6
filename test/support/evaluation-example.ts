import type { EvaluationResult } from '../../src/results/documents/evaluation-result.js'
import { exampleResult } from './similarity-example.js'

/** An evaluation of a model of 30 layers, of cuts of 8 by start; null is a perplexity that is not finite. */
export function evaluationOf(perplexities: (number | null)[], whole = 20): EvaluationResult {
  const { model, dataset, settings } = exampleResult(Array.from({ length: 23 }, () => 0.2))
  return {
    schema: 'layerprune.evaluation/1',
    model,
    dataset: { ...dataset, skippedTexts: 0, texts: 32, scoredTokens: 4000, scoredBytes: 16_000 },
    settings: { ...settings, scored: 'every token but the first of each text' },
    perplexity: whole,
    standardError: 0.5,
    bitsPerByte: 1,
    candidates: perplexities.map((perplexity, start) => {
      const removed = [{ start, end: start + 8 }]
      if (perplexity === null) return { removed, perplexity }
      const excess = { difference: 1, standardError: 0.1 }
      return {
        removed,
        perplexity,
        standardError: perplexity / 20,
        bitsPerByte: 2,
        excess,
        kl: 0.5,
        agreement: 0.6,
      }
    }),
    layerpruneVersion: '0.1.0',
  }
}
