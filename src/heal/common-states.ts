import { join } from 'node:path'
import { readPlan } from '../documents/read-saved.js'
import { LayerpruneError } from '../errors.js'
import type { StatePair } from '../gradient/loss.js'
import type { LocatedModel, Model } from '../model.js'

const PLAN_FILE = 'layerprune-plan.json'

/**
 * States that a pruned model and the whole one have in common by the plan of the cut: those after each block that was
 * removed, by their numbers in each. That after the embedding is omitted, which is the same anyway.
 * @throws LayerpruneError if the pruned model has no plan, or the other is not the one that it was cut from
 */
export async function findCommonStates(
  { id, folder, source, config }: LocatedModel,
  whole: Model,
): Promise<StatePair[]> {
  if (!source.names.includes(PLAN_FILE)) {
    throw new LayerpruneError(`${id} has no ${PLAN_FILE}, which says where the states of a teacher belong`, {
      hint: 'prune it with layerprune prune, or train without --teacher-states',
    })
  }
  await source.provide([PLAN_FILE])
  const { model, removed } = await readPlan(join(folder, PLAN_FILE))
  const gone = removed.reduce((sum, { start, end }) => sum + end - start, 0)
  const { layers, hiddenSize } = whole.config
  if (model.layers !== layers || layers - gone !== config.layers || hiddenSize !== config.hiddenSize) {
    throw new LayerpruneError(`${whole.id} is not the model that ${id} was cut from, by its ${PLAN_FILE}`, {
      hint: 'name the whole model with --teacher',
    })
  }
  let before = 0
  return removed.flatMap(({ start, end }) => {
    before += end - start
    return end === before ? [] : [{ student: end - before, teacher: end }]
  })
}
