import type { ModelOptions } from '../../../engine/model.js'
import { explainUnwritable } from '../../../jobs/prune/explain-unwritable.js'
import { formatBlocks } from '../../../model/layers/blocks.js'
import type { EvaluationResult } from '../../../results/documents/evaluation-result.js'
import type { Plan } from '../../../results/documents/plan.js'
import type { TaskResult } from '../../../results/documents/task-result.js'
import { printNote } from '../../terminal/output.js'

/** Says once which cuts can be measured but not written. @returns the reason for each cut; undefined if there is none */
export async function noteUnwritable(options: ModelOptions, plans: Plan[]): Promise<(string | undefined)[]> {
  const cuts = plans.map(({ removed }) => removed)
  if (cuts.length === 0) return []
  const problems = await explainUnwritable(options, cuts)
  const reason = problems.find((problem) => problem !== undefined)
  if (reason !== undefined) {
    const names = cuts.filter((_, index) => problems[index] !== undefined).map(formatBlocks)
    printNote(`prune cannot write the model without layers ${[...new Set(names)].join('; ')}: ${reason}`)
  }
  return problems
}

/** The result with the reasons at its candidates, which are in the order of the cuts. */
export function withProblems<Result extends EvaluationResult | TaskResult>(
  result: Result,
  problems: (string | undefined)[],
): Result {
  const candidates = result.candidates.map((candidate, index) => {
    const notWritable = problems[index]
    return notWritable === undefined ? candidate : { ...candidate, notWritable }
  })
  return { ...result, candidates }
}

export function isWritable({ notWritable }: { notWritable?: string }): boolean {
  return notWritable === undefined
}
