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

/** The loss that `greedy-perplexity` and `repaired` minimize; for a task, how unlikely its right answers are. */
export type Objective = 'perplexity' | 'kl' | `task:${string}`

export function isObjective(name: string): name is Objective {
  return name === 'perplexity' || name === 'kl' || /^task:./.test(name)
}

/** The task that an objective names; undefined if it names none. */
export function taskOf(objective: Objective | undefined): string | undefined {
  return objective?.startsWith('task:') ? objective.slice('task:'.length) : undefined
}

export type Strategy = (typeof STRATEGIES)[number]
