import type { HealingSettings } from './settings.js'

/** Where the numbers of a recipe come from, in lines for a comment. */
export function describeOrigin({ steps, batchSize, rank, learningRate, origin }: HealingSettings): string[] {
  return [
    'Heals a pruned model with the settings of "The Unreasonable Ineffectiveness of the Deeper Layers"',
    `(arXiv 2403.17887): QLoRA on the MLPs, ${steps} steps of ${batchSize} sequences, cosine schedule with warm-up;`,
    `rank ${rank} and learning rate ${learningRate} are those of ${origin}.`,
  ]
}
