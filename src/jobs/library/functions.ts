import * as plans from '../../results/documents/plan.js'
import type { SimilarityResult } from '../../results/documents/similarity-result.js'
import type { SweepLimits } from '../../results/documents/sweep-result.js'
import { formatSliceConfig as formatSlices } from '../../results/mergekit.js'
import { evaluateAgainst as compareModels } from '../evaluate/against.js'
import { type EvaluationOptions, evaluatePerplexity as evaluate } from '../evaluate/perplexity.js'
import { healModel as heal } from '../heal/heal-model.js'
import { inspectModel as inspect } from '../inspect/inspect-model.js'
import { comparePruned as compare } from '../prune/compare-pruned.js'
import { pruneModel as prune } from '../prune/prune.js'
import { makeRecipe as prepareTraining } from '../recipe/recipe.js'
import { repairModel as repair } from '../repair/repair-model.js'
import { type Check, checkResult as check, type Expectations } from '../similarity/check-result.js'
import { measureSimilarity as measure } from '../similarity/measure.js'
import { planLayers as plan } from '../strategies/plan-layers.js'
import { verifyBlocks as verify } from '../strategies/verify-blocks.js'
import { mergeSweeps as mergeSweepShards, type SweepShard } from '../sweep/merge-sweeps.js'
import { sweepCuts as sweep } from '../sweep/sweep.js'
import { measureTasks as scoreTasks } from '../tasks/measure-tasks.js'
import { checkOptions, type OptionSpecs } from './check-options.js'
import * as specs from './option-specs.js'
import { plotResult as draw } from './plot.js'

/** A function of one options object, behind a check of options that no compiler may have seen. */
function checked<Options, Result>(
  name: string,
  options: OptionSpecs<NoInfer<Options>>,
  run: (options: Options) => Result,
): (options: Options) => Result {
  return (given) => {
    checkOptions(name, given, options)
    return run(given)
  }
}

/** Likewise of a function that works for a while: what is wrong with the options is thrown to whoever waits for it. */
function checkedJob<Options, Result>(
  name: string,
  options: OptionSpecs<NoInfer<Options>>,
  run: (options: Options) => Promise<Result>,
): (options: Options) => Promise<Result> {
  const job = checked(name, options, run)
  return async (given) => job(given)
}

/** Says what a model is, how many parameters and layers it has, and whether it can be analysed here. */
export const inspectModel = checkedJob('inspectModel', specs.MODEL_SPECS, inspect)

/** Measures how far every block of layers rotates the residual stream, and names the nearest. */
export const measureSimilarity = checkedJob('measureSimilarity', specs.SIMILARITY_SPECS, measure)

/** Measures the nearest blocks of a result by perplexity, on texts after those of the result. */
export const verifyBlocks = checkedJob('verifyBlocks', specs.VERIFICATION_SPECS, verify)

/** Measures the perplexity of a model, whole and without blocks of layers. */
export const evaluatePerplexity = checkedJob(
  'evaluatePerplexity',
  specs.EVALUATION_SPECS,
  (options: EvaluationOptions) => evaluate(options),
)

/** Compares the predictions of two models with the same tokenizer. */
export const evaluateAgainst = checkedJob('evaluateAgainst', specs.AGAINST_SPECS, compareModels)

/** Measures the accuracy of a model on tasks, whole and without blocks of layers. */
export const measureTasks = checkedJob('measureTasks', specs.TASK_SPECS, scoreTasks)

/** Chooses the layers to remove by a strategy. */
export const planLayers = checkedJob('planLayers', specs.PLAN_SPECS, plan)

/** Measures what cuts of every size cost and gain. */
export const sweepCuts = checkedJob('sweepCuts', specs.SWEEP_SPECS, sweep)

/** Writes a model without some of its layers. */
export const pruneModel = checkedJob('pruneModel', specs.PRUNE_SPECS, prune)

/** Runs a model whole and pruned: how fast each is, and what each says. */
export const comparePruned = checkedJob('comparePruned', specs.COMPARISON_SPECS, compare)

/** Refits weights around a cut by least squares. */
export const repairModel = checkedJob('repairModel', specs.REPAIR_SPECS, repair)

/** Trains a model on texts. */
export const healModel = checkedJob('healModel', specs.HEAL_SPECS, heal)

/** Writes the files with which a pruned model is trained on a GPU. */
export const makeRecipe = checkedJob('makeRecipe', specs.RECIPE_SPECS, prepareTraining)

/** Draws a result as SVG or PNG. */
export const plotResult = checkedJob('plotResult', specs.PLOT_SPECS, draw)

/** Makes a plan of blocks that are known. */
export const makePlan = checked('makePlan', specs.MAKE_PLAN_SPECS, plans.makePlan)

/** Writes a cut as the YAML of mergekit. */
export const formatSliceConfig = checked('formatSliceConfig', specs.SLICE_SPECS, formatSlices)

/**
 * Compares a saved result with what is expected of it.
 * @throws UsageError if nothing is expected, or it does not fit the model
 */
export function checkResult(result: SimilarityResult, expected: Expectations): Check[] {
  checkOptions('checkResult', expected, specs.EXPECTATION_SPECS)
  return check(result, expected)
}

/**
 * Merges the shards of a sweep.
 * @throws LayerpruneError if one is not a shard, belongs to another sweep, is there twice or is missing
 */
export function mergeSweeps(shards: SweepShard[], limits: SweepLimits = {}) {
  checkOptions('mergeSweeps', limits, specs.LIMIT_SPECS)
  return mergeSweepShards(shards, limits)
}
