export type {
  CandidateFigures,
  EvaluationResult,
  FailedCandidate,
  Figures,
} from './documents/evaluation-result.js'
export { METRICS, type Metric } from './documents/metrics.js'
export { makePlan, type Plan } from './documents/plan.js'
export { readPlan } from './documents/read-saved.js'
export type { MetricResult, ScoredBlock, SimilarityResult } from './documents/similarity-result.js'
export type { CutTaskFigures, TaskFigures, TaskResult } from './documents/task-result.js'
export { InterruptedError, LayerpruneError, UsageError } from './errors.js'
export { type EvaluationOptions, evaluatePerplexity, type TextScore } from './evaluate/perplexity.js'
export { type Inspection, inspectModel } from './inspect/inspect-model.js'
export type { Block } from './layers/block.js'
export { type PruneOptions, type PruneProgress, type PruneResult, pruneModel } from './prune/prune.js'
export { makeRecipe, type Recipe, type RecipeOptions } from './recipe/recipe.js'
export { type RepairModelOptions, repairModel } from './repair/repair-model.js'
export type { RepairReport } from './repair/repair-report.js'
export type { TextProgress } from './run/run-options.js'
export { measureSimilarity } from './similarity/measure.js'
export type { SimilarityOptions } from './similarity/options.js'
export type { Certainty, ComparedBlock } from './statistics/certainty.js'
export { type PlanOptions, planLayers } from './strategies/plan-layers.js'
export { STRATEGIES, type Strategy } from './strategies/strategy.js'
export { measureTasks, type TaskEvaluationOptions, type TaskSample } from './tasks/measure-tasks.js'
export type { TokenSelection } from './texts/token-selection.js'
export { VERSION } from './version.js'
