import type { Block } from '../../model/layers/block.js'
import type { EvaluationResult } from '../documents/evaluation-result.js'
import type { Plan } from '../documents/plan.js'
import type { PruneResult } from '../documents/prune-result.js'
import type { SavedDocuments } from '../documents/read-saved.js'
import type { SweepResult } from '../documents/sweep-result.js'
import type { TaskResult } from '../documents/task-result.js'
import type { ReportedResult } from '../documents/verification.js'

/** A document with its number among those of its kind on the page, from 1. */
export interface Numbered<T> {
  number: number
  document: T
}

/** Everything on a page about one model. */
export interface ModelStory {
  /** As the user named it, without a `.` before it. */
  name: string
  layers: number
  family: string | undefined
  results: Numbered<ReportedResult>[]
  sweeps: Numbered<SweepResult>[]
  evaluations: Numbered<EvaluationResult>[]
  tasks: Numbered<TaskResult>[]
  plans: Numbered<Plan>[]
  prunes: Numbered<PruneResult>[]
}

type Kind = Exclude<keyof ModelStory, 'name' | 'layers' | 'family'>

/** Puts documents of the same model together, models in the order in which they are first named. */
export function tellStories(documents: SavedDocuments): ModelStory[] {
  const stories = new Map<string, ModelStory>()
  const add = <K extends Kind>(
    kind: K,
    items: ModelStory[K][number]['document'][],
    modelOf: (document: never) => Plan['model'],
  ) => {
    for (const [index, document] of items.entries()) {
      const { id, layers, family } = modelOf(document as never)
      const name = plainName(id)
      const key = `${layers} ${name}`
      const story = stories.get(key) ?? startStory(name, layers, family)
      stories.set(key, story)
      ;(story[kind] as Numbered<unknown>[]).push({ number: index + 1, document })
    }
  }
  const { results, evaluations, plans, sweeps = [], tasks = [], prunes = [] } = documents
  add('results', results, ({ model }: ReportedResult) => model)
  add('sweeps', sweeps, ({ model }: SweepResult) => model)
  add('evaluations', evaluations, ({ model }: EvaluationResult) => model)
  add('tasks', tasks, ({ model }: TaskResult) => model)
  add('plans', plans, ({ model }: Plan) => model)
  add('prunes', prunes, ({ plan }: PruneResult) => plan.model)
  return [...stories.values()]
}

function startStory(name: string, layers: number, family: string | undefined): ModelStory {
  return {
    ...{ name, layers, family },
    ...{ results: [], sweeps: [], evaluations: [], tasks: [], plans: [], prunes: [] },
  }
}

/** `./model/` and `model` are the same folder. */
export function plainName(id: string): string {
  return id.replace(/^(\.\/)+(?=.)/, '').replace(/(?<=.)\/+$/, '')
}

export function isSameCut(a: Block[], b: Block[]): boolean {
  return a.length === b.length && a.every(({ start, end }, i) => start === b[i]!.start && end === b[i]!.end)
}
