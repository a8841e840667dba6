import './no-telemetry.js'

export type { CardContent, CardResult } from './documents/card-content.js'
export type {
  CandidateFigures,
  EvaluationResult,
  FailedCandidate,
  Figures,
} from './documents/evaluation-result.js'
export { METRICS, type Metric } from './documents/metrics.js'
export type { Plan } from './documents/plan.js'
export type { PruneResult, Sample, WholeAndPruned } from './documents/prune-result.js'
export { readEvaluation, readPlan, readSimilarityResult, readSweep } from './documents/read-saved.js'
export { recommendBlock, resizeResult, selectMetric } from './documents/result-views.js'
export type { MetricResult, ScoredBlock, SimilarityResult } from './documents/similarity-result.js'
export { planRecommended } from './documents/sweep-plan.js'
export type { SweepCandidate, SweepLimits, SweepResult } from './documents/sweep-result.js'
export type { CutTaskFigures, TaskFigures, TaskResult } from './documents/task-result.js'
export { InterruptedError, LayerpruneError, UsageError } from './errors.js'
export type { AgainstOptions, AgainstResult } from './evaluate/against.js'
export { type EvaluationPart, mergeEvaluations } from './evaluate/merge-evaluations.js'
export type { EvaluationOptions, TextScore } from './evaluate/perplexity.js'
export type { HealResult } from './heal/heal-result.js'
export type { HealOptions } from './heal/heal-work.js'
export type { Inspection } from './inspect/inspect-model.js'
export type { Block } from './layers/block.js'
export {
  checkResult,
  comparePruned,
  evaluateAgainst,
  evaluatePerplexity,
  formatSliceConfig,
  healModel,
  inspectModel,
  makePlan,
  makeRecipe,
  measureSimilarity,
  measureTasks,
  mergeSweeps,
  planLayers,
  plotResult,
  pruneModel,
  repairModel,
  sweepCuts,
  verifyBlocks,
} from './library/functions.js'
export type { PlotOptions } from './library/plot.js'
export { makeReport } from './library/report.js'
export { formatLlamaQuantize, type LlamaQuantizeOptions } from './llama-quantize.js'
export type { SliceConfigOptions } from './mergekit.js'
export type { ModelOptions } from './model.js'
export type { OnProgress, Progress, Unit } from './progress.js'
export type { ComparisonOptions } from './prune/compare-pruned.js'
export type { PruneOptions } from './prune/prune.js'
export type { SampleOptions } from './prune/write-samples.js'
export type { Recipe, RecipeOptions } from './recipe/recipe.js'
export type { RepairModelOptions } from './repair/repair-model.js'
export type { RepairReport } from './repair/repair-report.js'
export { formatDistancesCsv, formatSweepCsv } from './report/csv.js'
export type { RunOptions } from './run/run-options.js'
export type { Check, Expectations } from './similarity/check-result.js'
export { mergeShards, type ShardResult } from './similarity/merge-shards.js'
export type { SimilarityOptions, SimilarityProgress } from './similarity/options.js'
export type { Certainty, ComparedBlock } from './statistics/certainty.js'
export type { PlanOptions } from './strategies/plan-layers.js'
export { type Objective, STRATEGIES, type Strategy } from './strategies/strategy.js'
export type { VerificationOptions } from './strategies/verify-blocks.js'
export type { SweepShard } from './sweep/merge-sweeps.js'
export { SWEEP_STRATEGIES, type SweepOptions, type SweepStrategy } from './sweep/options.js'
export type { SweepProgress } from './sweep/progress.js'
export type { TaskEvaluationOptions, TaskSample } from './tasks/measure-tasks.js'
export type { TokenSelection } from './texts/token-selection.js'
export { VERSION } from './version.js'
