/** Ways to choose the layers that go. */
export const STRATEGIES = [
  'angular',
  'deepest',
  'block-influence',
  'greedy-perplexity',
  'verified',
  'repaired',
] as const

export type Strategy = (typeof STRATEGIES)[number]
