// What the library's functions take and return, checked by `npm run types`: nothing here is run.
import { expectTypeOf } from 'vitest'
import {
  type Block,
  type Certainty,
  evaluatePerplexity,
  type Figures,
  type Inspection,
  InterruptedError,
  inspectModel,
  LayerpruneError,
  makePlan,
  makeRecipe,
  measureSimilarity,
  measureTasks,
  type Plan,
  type Progress,
  type PruneResult,
  planLayers,
  pruneModel,
  readPlan,
  repairModel,
  type ScoredBlock,
  type SimilarityResult,
  STRATEGIES,
  type Strategy,
  type TaskResult,
  type TokenSelection,
  UsageError,
  VERSION,
} from '../../src/index.js'

const inputs = { model: 'folder', dataset: 'texts.jsonl' }
const block = { start: 11, end: 19 }
declare const plan: Plan

// measureSimilarity
const measured = measureSimilarity({
  ...inputs,
  layersToSkip: 8,
  tokens: 'tail:32',
  until: 0.95,
  shard: { index: 1, count: 4 },
  signal: AbortSignal.timeout(1000),
  onProgress: (progress) => {
    expectTypeOf(progress).toExtend<Progress>()
    expectTypeOf(progress.done).toEqualTypeOf<number>()
    expectTypeOf(progress.total).toEqualTypeOf<number | null>()
    expectTypeOf(progress.best).toEqualTypeOf<Block | undefined>()
  },
  onPartialResult: (partial) => expectTypeOf(partial).toEqualTypeOf<SimilarityResult>(),
})
expectTypeOf(measured).resolves.toEqualTypeOf<SimilarityResult>()
expectTypeOf<SimilarityResult['best']>().toEqualTypeOf<ScoredBlock>()
expectTypeOf<ScoredBlock>().toExtend<{
  start: number
  end: number
  distance: number
  standardError: number | null
}>()
expectTypeOf<SimilarityResult['distances']>().toEqualTypeOf<Record<string, number[]>>()
expectTypeOf<SimilarityResult['certainty']>().toEqualTypeOf<Certainty | null>()
expectTypeOf<Certainty['confidence']>().toEqualTypeOf<number>()
expectTypeOf<'last' | 'all' | 'tail:32'>().toExtend<TokenSelection>()
// several files are one dataset
measureSimilarity({ model: 'folder', dataset: ['a.jsonl', 'b.jsonl'], layersToSkip: 8 })
// without a number of layers, the best block of every size
measureSimilarity(inputs)
// @ts-expect-error: a dataset is needed
measureSimilarity({ model: 'folder', layersToSkip: 8 })
measureSimilarity({ ...inputs, layersToSkip: 8, metric: ['angular', 'cosine'], maxMemory: 4e9 })
measureSimilarity({
  ...inputs,
  layersToSkip: 8,
  metric: 'cosine',
  datasetColumn: 'body',
  datasetSplit: 'test',
})
// @ts-expect-error: a misspelt option is no option
measureSimilarity({ ...inputs, layersToSkip: 8, batchsize: 8 })
// @ts-expect-error: tokens are last, all or tail:K
measureSimilarity({ ...inputs, layersToSkip: 8, tokens: 'first' })
// @ts-expect-error: a device is named as transformers.js names it
measureSimilarity({ ...inputs, layersToSkip: 8, device: 'gpu' })

// evaluatePerplexity
const evaluated = evaluatePerplexity({
  ...inputs,
  candidates: [[block], [{ start: 3, end: 4 }, block]],
  onText: ({ negativeLogLikelihoods }) => expectTypeOf(negativeLogLikelihoods).toEqualTypeOf<number[]>(),
})
expectTypeOf(evaluated).resolves.toExtend<Figures>()
expectTypeOf(evaluated.then(({ candidates }) => candidates[0]!.perplexity)).resolves.toEqualTypeOf<number | null>()
expectTypeOf<Figures>().toEqualTypeOf<{
  perplexity: number
  standardError: number | null
  bitsPerByte: number
}>()
// @ts-expect-error: a candidate is a list of blocks
evaluatePerplexity({ ...inputs, candidates: [block] })

// measureTasks
const onTasks = measureTasks({ model: 'folder', tasks: ['arc_easy'], candidates: [[block]], limit: 100 })
expectTypeOf(onTasks).resolves.toEqualTypeOf<TaskResult>()
expectTypeOf(onTasks.then(({ tasks }) => tasks.arc_easy?.acc)).resolves.toEqualTypeOf<number | undefined>()
// @ts-expect-error: tasks are needed
measureTasks({ model: 'folder' })

// planLayers, makePlan, readPlan
expectTypeOf(planLayers({ ...inputs, strategy: 'verified', layersToSkip: 8 })).resolves.toEqualTypeOf<Plan>()
planLayers({ model: 'folder', strategy: 'deepest', layersToSkip: 8 }) // needs no texts
planLayers({ model: 'folder', strategy: 'task', task: 'arc_easy', layersToSkip: 8 }) // nor does this
// @ts-expect-error: no strategy of that name
planLayers({ ...inputs, strategy: 'best', layersToSkip: 8 })
expectTypeOf(STRATEGIES[0]).toExtend<Strategy>()
expectTypeOf(readPlan('plan.json')).resolves.toEqualTypeOf<Plan>()
expectTypeOf(
  makePlan({ model: { id: 'folder', layers: 30 }, strategy: 'explicit', removed: [block] }),
).toEqualTypeOf<Plan>()
expectTypeOf<Plan['removed']>().toEqualTypeOf<Block[]>()
expectTypeOf<Plan['schema']>().toEqualTypeOf<'layerprune.plan/1'>()

// repairModel, pruneModel
const repaired = repairModel({ ...inputs, removed: [block], evaluateOn: 'other.jsonl' })
expectTypeOf(repaired.then(({ report }) => report.perplexity.repaired)).resolves.toEqualTypeOf<number | null>()
const replacements = repaired.then((repair) => repair.replacements)
expectTypeOf(pruneModel({ model: 'folder', plan, output: 'pruned' })).resolves.toEqualTypeOf<PruneResult>()
pruneModel({ model: 'folder', plan, output: 'pruned', replacements: await replacements, dryRun: true })
// @ts-expect-error: the plan is needed
pruneModel({ model: 'folder', output: 'pruned' })
expectTypeOf<PruneResult['files']>().toEqualTypeOf<{ name: string; sizeBytes: number }[]>()

// inspectModel, makeRecipe
expectTypeOf(inspectModel({ model: 'folder' })).resolves.toEqualTypeOf<Inspection>()
expectTypeOf<Inspection['model']['layers']>().toEqualTypeOf<number>()
declare const analysis: Inspection['analysis']
if (analysis.possible) expectTypeOf(analysis.dtype).toEqualTypeOf<string>()
else expectTypeOf(analysis.hint).toEqualTypeOf<string | null>()
const recipe = makeRecipe({
  model: 'pruned',
  dataset: 'org/texts',
  datasetConfig: 'en',
  datasetSplit: 'test',
})
expectTypeOf(recipe.then(({ training }) => training.schema)).resolves.toEqualTypeOf<'layerprune.recipe/1'>()
expectTypeOf(recipe.then(({ files }) => files)).resolves.toEqualTypeOf<Record<string, string>>()

// errors
expectTypeOf(UsageError).instance.toExtend<LayerpruneError>()
expectTypeOf(InterruptedError).instance.toExtend<LayerpruneError>()
expectTypeOf(LayerpruneError).instance.toExtend<Error & { hint: string | undefined; exitCode: number }>()
expectTypeOf(VERSION).toEqualTypeOf<string>()
