import './engine/no-telemetry.js'

export { InterruptedError, LayerpruneError, UsageError } from './base/errors.js'
export type { OnProgress, Progress, Unit } from './base/progress.js'
export { VERSION } from './base/version.js'
export type { ModelOptions } from './engine/model.js'
export type { AgainstOptions, AgainstResult } from './jobs/evaluate/against.js'
export { type EvaluationPart, mergeEvaluations } from './jobs/evaluate/merge-evaluations.js'
export type { EvaluationOptions, TextScore } from './jobs/evaluate/perplexity.js'
export type { ExportOptions } from './jobs/export/export-model.js'
export type { HealResult } from './jobs/heal/heal-result.js'
export type { HealOptions } from './jobs/heal/heal-work.js'
export type { Inspection } from './jobs/inspect/inspect-model.js'
export {
  checkResult,
  comparePruned,
  evaluateAgainst,
  evaluatePerplexity,
  exportModel,
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
} from './jobs/library/functions.js'
export type { PlotOptions } from './jobs/library/plot.js'
export { makeReport } from './jobs/library/report.js'
export type { ComparisonOptions } from './jobs/prune/compare-pruned.js'
export type { PruneOptions } from './jobs/prune/prune.js'
export type { SampleOptions } from './jobs/prune/write-samples.js'
export type { Recipe, RecipeOptions } from './jobs/recipe/recipe.js'
export type { RepairModelOptions } from './jobs/repair/repair-model.js'
export type { RepairReport } from './jobs/repair/repair-report.js'
export type { RepairState } from './jobs/repair/repair-state.js'
export type { RunOptions } from './jobs/run/run-options.js'
export type { SavedWork } from './jobs/run/saved-work.js'
export type { Check } from './jobs/similarity/check-cuts.js'
export type { Expectations } from './jobs/similarity/check-result.js'
export { mergeShards, type ShardResult } from './jobs/similarity/merge-shards.js'
export type { SimilarityOptions, SimilarityProgress } from './jobs/similarity/options.js'
export type { PlanWork } from './jobs/strategies/plan-memory.js'
export type { PlanOptions } from './jobs/strategies/plan-options.js'
export { type Objective, STRATEGIES, type Strategy } from './jobs/strategies/strategy.js'
export type { VerificationOptions } from './jobs/strategies/verify-blocks.js'
export type { SweepShard } from './jobs/sweep/merge-sweeps.js'
export { SWEEP_STRATEGIES, type SweepOptions, type SweepStrategy } from './jobs/sweep/options.js'
export type { SweepProgress } from './jobs/sweep/progress.js'
export type { TaskEvaluationOptions, TaskSample } from './jobs/tasks/measure-tasks.js'
export type { Block } from './model/layers/block.js'
export type { CardContent, CardResult } from './results/documents/card-content.js'
export type { Certainty, ComparedBlock } from './results/documents/certainty.js'
export type {
  CandidateFigures,
  EvaluationResult,
  FailedCandidate,
  Figures,
} from './results/documents/evaluation-result.js'
export { METRICS, type Metric } from './results/documents/metrics.js'
export type { Plan } from './results/documents/plan.js'
export type { PruneResult, Sample, WholeAndPruned } from './results/documents/prune-result.js'
export { readEvaluation, readPlan, readSimilarityResult, readSweep } from './results/documents/read-saved.js'
export { planRecommended } from './results/documents/recommended-plan.js'
export { recommendBlock, resizeResult, selectMetric } from './results/documents/result-views.js'
export type { MetricResult, ScoredBlock, SimilarityResult } from './results/documents/similarity-result.js'
export type { SweepCandidate, SweepLimits, SweepResult } from './results/documents/sweep-result.js'
export type { CutTaskFigures, TaskFigures, TaskResult } from './results/documents/task-result.js'
export { formatLlamaQuantize, type LlamaQuantizeOptions } from './results/llama-quantize.js'
export type { SliceConfigOptions } from './results/mergekit.js'
export { formatDistancesCsv, formatSweepCsv } from './results/report/csv.js'
export type { TokenSelection } from './texts/tokens/token-selection.js'
