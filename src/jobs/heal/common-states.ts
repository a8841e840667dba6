import { LayerpruneError } from '../../base/errors.js'
import type { LocatedModel, Model } from '../../engine/model.js'
import type { StatePair } from '../../model/gradient/loss.js'
import { countLayers } from '../../model/layers/count-layers.js'
import { PLAN_FILE } from '../../results/documents/plan.js'
import { findPlan } from '../write-model/find-plan.js'

/**
 * States that a pruned model and the whole one share by the plan of the cut: those after each removed block, by number.
 * @throws LayerpruneError if the pruned model has no plan, or the other is not the one that it was cut from
 */
export async function findCommonStates({ id, config, ...located }: LocatedModel, whole: Model): Promise<StatePair[]> {
  const plan = await findPlan(located)
  if (plan === undefined) {
    throw new LayerpruneError(`${id} has no ${PLAN_FILE}, which says where the states of a teacher belong`, {
      hint: 'prune it with layerprune prune, or train without `teacherStates`',
    })
  }
  const { model, removed } = plan
  const { layers, hiddenSize } = whole.config
  if (model.layers !== layers || layers - countLayers(removed) !== config.layers || hiddenSize !== config.hiddenSize) {
    throw new LayerpruneError(`${whole.id} is not the model that ${id} was cut from, according to its ${PLAN_FILE}`, {
      hint: 'name the whole model with `teacher`',
    })
  }
  let before = 0
  return removed.flatMap(({ start, end }) => {
    before += end - start
    return end === before ? [] : [{ student: end - before, teacher: end }]
  })
}
