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

/** What strategies that search, `greedy-perplexity` and `repaired`, keep low. */
export const OBJECTIVES = ['perplexity', 'kl'] as const

export type Objective = (typeof OBJECTIVES)[number]

export type Strategy = (typeof STRATEGIES)[number]
