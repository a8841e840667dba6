/** Ways to choose the layers to remove. */
export const STRATEGIES = [
  'angular',
  'deepest',
  'block-influence',
  'greedy-perplexity',
  'verified',
  'repaired',
  'task',
] as const

export type Strategy = (typeof STRATEGIES)[number]
