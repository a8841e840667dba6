import type { MeasuredDocument } from '../../results/documents/measured-cuts.js'
import * as plans from '../../results/documents/plan.js'
import type { SweepLimits } from '../../results/documents/sweep-result.js'
import { formatSliceConfig as formatSlices } from '../../results/mergekit.js'
import { evaluateAgainst as compareModels } from '../evaluate/against.js'
import { type EvaluationOptions, evaluatePerplexity as evaluate } from '../evaluate/perplexity.js'
import { exportModel as exportFiles } from '../export/export-model.js'
import { healModel as heal } from '../heal/heal-model.js'
import { inspectModel as inspect } from '../inspect/inspect-model.js'
import { comparePruned as compare } from '../prune/compare-pruned.js'
import { pruneModel as prune } from '../prune/prune.js'
import { makeRecipe as prepareTraining } from '../recipe/recipe.js'
import { repairModel as repair } from '../repair/repair-model.js'
import type { Check } from '../similarity/check-cuts.js'
import { checkResult as check, type Expectations } from '../similarity/check-result.js'
import { measureSimilarity as measure } from '../similarity/measure.js'
import { planLayers as plan } from '../strategies/plan-layers.js'
import { verifyBlocks as verify } from '../strategies/verify-blocks.js'
import { mergeSweeps as mergeSweepShards, type SweepShard } from '../sweep/merge-sweeps.js'
import { sweepCuts as sweep } from '../sweep/sweep.js'
import { measureTasks as scoreTasks } from '../tasks/measure-tasks.js'
import { checkOptions } from './check-options.js'
import type { OptionList } from './option-lists.js'
import * as lists from './option-lists.js'
import { plotResult as draw } from './plot.js'

type Names<List extends OptionList> = List['flags'][number] | List['given'][number]

type RequiredNames<Options> = {
  [Name in keyof Options]-?: undefined extends Options[Name] ? never : Name
}[keyof Options]

/** Any list that has every option of a type, no other, and requires what the type does; else what is wrong with it. */
type Complete<Options, List extends OptionList> = [
  Exclude<keyof Options, Names<List>>,
  Exclude<Names<List>, keyof Options>,
  Exclude<RequiredNames<Options>, List['required'][number]>,
  Exclude<List['required'][number], RequiredNames<Options>>,
] extends [never, never, never, never]
  ? unknown
  : {
      missing: Exclude<keyof Options, Names<List>>
      unknown: Exclude<Names<List>, keyof Options>
      required: RequiredNames<Options>
    }

/** Checks the options of a function, which no compiler may have seen, before it runs. */
function checked<Options, Result, List extends OptionList>(
  name: string,
  list: List & Complete<NoInfer<Options>, List>,
  run: (options: Options) => Result,
): (options: Options) => Result {
  return (given) => {
    checkOptions(name, given, list)
    return run(given)
  }
}

/** The same for a function that returns a promise, which rejects if an option is wrong. */
function checkedJob<Options, Result, List extends OptionList>(
  name: string,
  list: List & Complete<NoInfer<Options>, List>,
  run: (options: Options) => Promise<Result>,
): (options: Options) => Promise<Result> {
  return async (given) => {
    checkOptions(name, given, list)
    return run(given)
  }
}

/** Checks options for a function that takes more than these. */
function checkMore<Options, List extends OptionList>(
  name: string,
  given: Options,
  list: List & Complete<NoInfer<Options>, List>,
): void {
  checkOptions(name, given, list)
}

/** Describes a model: its family, parameters, layers, and whether it can be analysed. */
export const inspectModel = checkedJob('inspectModel', lists.INSPECT_LIST, inspect)

/** Measures how far every block of layers rotates the residual stream, and names the nearest. */
export const measureSimilarity = checkedJob('measureSimilarity', lists.SIMILARITY_LIST, measure)

/** Measures the nearest blocks of a result by perplexity, on texts after those of the result. */
export const verifyBlocks = checkedJob('verifyBlocks', lists.VERIFICATION_LIST, verify)

/** Measures the perplexity of a model, whole and without blocks of layers. */
export const evaluatePerplexity = checkedJob(
  'evaluatePerplexity',
  lists.EVALUATION_LIST,
  (options: EvaluationOptions) => evaluate(options),
)

/** Compares the predictions of two models with the same tokenizer. */
export const evaluateAgainst = checkedJob('evaluateAgainst', lists.AGAINST_LIST, compareModels)

/** Measures the accuracy of a model on tasks, whole and without blocks of layers. */
export const measureTasks = checkedJob('measureTasks', lists.TASK_LIST, scoreTasks)

/** Chooses the layers to remove by a strategy. */
export const planLayers = checkedJob('planLayers', lists.PLAN_LIST, plan)

/** Measures the costs and gains of cuts of every size. */
export const sweepCuts = checkedJob('sweepCuts', lists.SWEEP_LIST, sweep)

/** Writes a model without some of its layers. */
export const pruneModel = checkedJob('pruneModel', lists.PRUNE_LIST, prune)

/** Runs a model whole and pruned, to compare their speed and their continuations of texts. */
export const comparePruned = checkedJob('comparePruned', lists.COMPARISON_LIST, compare)

/** Refits weights around a cut by least squares. */
export const repairModel = checkedJob('repairModel', lists.REPAIR_LIST, repair)

/** Trains a model on texts. */
export const healModel = checkedJob('healModel', lists.HEAL_LIST, heal)

/** Writes a model as files that run elsewhere, and checks them. */
export const exportModel = checkedJob('exportModel', lists.EXPORT_LIST, exportFiles)

/** Writes the files to train a pruned model on a GPU. */
export const makeRecipe = checkedJob('makeRecipe', lists.RECIPE_LIST, prepareTraining)

/** Draws a result as SVG or PNG. */
export const plotResult = checkedJob('plotResult', lists.PLOT_LIST, draw)

/** Makes a plan of blocks that are known. */
export const makePlan = checked('makePlan', lists.MAKE_PLAN_LIST, plans.makePlan)

/** Writes a cut as the YAML of mergekit. */
export const formatSliceConfig = checked('formatSliceConfig', lists.SLICE_LIST, formatSlices)

/**
 * Compares a saved result with what is expected of it.
 * @throws UsageError if nothing is expected, or it does not fit the model
 */
export function checkResult(result: MeasuredDocument, expected: Expectations): Check[] {
  checkMore('checkResult', expected, lists.EXPECTATION_LIST)
  return check(result, expected)
}

/**
 * Merges the shards of a sweep.
 * @throws LayerpruneError if one is not a shard, belongs to another sweep, is there twice or is missing
 */
export function mergeSweeps(shards: SweepShard[], limits: SweepLimits = {}) {
  checkMore('mergeSweeps', limits, lists.LIMIT_LIST)
  return mergeSweepShards(shards, limits)
}
