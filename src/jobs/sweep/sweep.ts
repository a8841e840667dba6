import { LayerpruneError } from '../../base/errors.js'
import { formatList, formatQuantity } from '../../base/format-numbers.js'
import { renamePhase } from '../../base/progress.js'
import { VERSION } from '../../base/version.js'
import { locateModel, type Model, openModel, prepareModel } from '../../engine/model.js'
import type { EvaluationResult, Figures } from '../../results/documents/evaluation-result.js'
import { SCHEMAS } from '../../results/documents/schemas.js'
import type {
  ChosenCut,
  Extent,
  SweepCandidate,
  SweepLimits,
  SweepResult,
} from '../../results/documents/sweep-result.js'
import type { TextRecord } from '../../results/documents/text-uses.js'
import { isInShard } from '../../texts/tokens/placed-rows.js'
import { openLimitedEvaluator } from '../evaluate/limited-evaluator.js'
import { describeModel } from '../run/describe-model.js'
import { interruptible } from '../run/interruptible.js'
import { chooseRunSettings } from '../run/run-options.js'
import { assertSameWork, identifyWork } from '../run/saved-work.js'
import { measureTasks } from '../tasks/measure-tasks.js'
import { chooseCuts } from './choose-cuts.js'
import { measureSizes } from './extents.js'
import { measureCuts, measureRepaired } from './measure-cuts.js'
import { chooseSweepSettings, type SweepOptions, type SweepSettings } from './options.js'
import type { Chosen, SweepProgress } from './progress.js'
import { recommendCut } from './recommend.js'
import { sampleCut } from './sample-cut.js'

/**
 * Measures what is lost and gained without layers, for every number of them: strategies choose the layers on the first
 * texts, and what the model predicts without them is measured on those that follow. Cuts share the layers below the
 * first that one of them removes.
 * @throws UsageError if an option is out of range or does not fit the model
 * @throws InterruptedError if `signal` was aborted
 * @throws LayerpruneError if model or dataset cannot be used, or `resumeFrom` is of another sweep
 */
export function sweepCuts(options: SweepOptions): Promise<SweepResult> {
  return interruptible(options.signal, 'before the cuts were measured', () => sweep(options))
}

async function sweep(options: SweepOptions): Promise<SweepResult> {
  const { config } = await locateModel({ ...options, onNote: undefined })
  const settings = chooseSweepSettings(options, config.layers)
  const { maxMemory } = settings
  const stored = await openModel({ ...settings, onNote: undefined })
  const limited = maxMemory === undefined ? undefined : await prepareLimited(stored, settings, maxMemory)
  await limited?.assertEnough()
  const progress = await openProgress(settings, (await describeModel(stored, settings)).fingerprint)
  const chosen = await chooseOrRecall(settings, config.layers, progress)
  const cuts = takeShard(chosen.cuts, settings)
  await limited?.assertEnough().catch(explainTaken)
  const sizes = await measureSizes(stored, [[], ...cuts.map(({ removed }) => removed)])
  settings.onNote?.(describeWork(cuts, settings))
  const remember = { progress, onMeasured: () => save(settings, progress) }
  const { evaluation, predictions, speeds } = await measureCuts(settings, cuts, remember)
  const repaired = settings.repair ? await measureRepaired(settings, cuts, remember) : undefined
  const tasks = await measureOnTasks(settings, cuts, progress)
  const extents = sizes.map((size, index): Extent => ({ ...size, tokensPerSecond: speeds[index] ?? null }))
  const candidates = cuts.map(
    (cut, index): SweepCandidate => ({
      ...cut,
      ...extents[index + 1]!,
      ...predictions[index]!,
      ...(repaired && { repaired: repaired[index]! }),
      ...(tasks && { tasks: tasks.candidates[index]!.tasks }),
    }),
  )
  const whole = { ...extents[0]!, ...(tasks && { tasks: tasks.tasks }) }
  const taskSettings = tasks && { taskSettings: tasks.taskSettings }
  const result = { ...assemble(settings, evaluation, whole, candidates, chosen.texts), ...taskSettings }
  const { samples = 0 } = settings
  if (samples === 0 || result.recommended === null) return result
  return { ...result, samples: await sampleCut(settings, result.recommended.removed, samples) }
}

function assemble(
  { strategies, sizes, shard, maxPerplexityRatio, maxSize, minTask }: SweepSettings,
  evaluation: EvaluationResult,
  whole: Omit<SweepResult['whole'], keyof Figures>,
  candidates: SweepCandidate[],
  chosenOn: TextRecord | undefined,
): SweepResult {
  const { model, dataset, settings, perplexity, standardError, bitsPerByte } = evaluation
  const limits: SweepLimits = {
    ...(maxPerplexityRatio === undefined ? {} : { maxPerplexityRatio }),
    ...(maxSize === undefined ? {} : { maxSize }),
    ...(minTask === undefined ? {} : { minTask }),
  }
  return {
    schema: SCHEMAS.sweep,
    model,
    dataset,
    settings,
    ...(chosenOn && { chosenOn }),
    strategies,
    sizes,
    whole: { perplexity, standardError, bitsPerByte, ...whole },
    candidates,
    limits,
    recommended: recommendCut(candidates, perplexity, limits),
    ...(shard === undefined ? {} : { shard }),
    layerpruneVersion: VERSION,
  }
}

/** A model that is prepared once to be looked at twice: choosing layers takes memory too. */
async function prepareLimited(
  stored: Model,
  settings: SweepSettings,
  maxMemory: number,
): Promise<{ assertEnough: () => Promise<void> }> {
  const { threads, device = 'cpu', signal } = settings
  const model = await prepareModel(stored, { signal })
  const { maxLength } = chooseRunSettings(settings, model)
  return {
    /** @throws LayerpruneError if cuts cannot be measured within so much memory besides what the process takes now */
    async assertEnough() {
      const limit = { maxMemory, maxLength }
      await (await openLimitedEvaluator(model, { threads, device, limit })).close()
    },
  }
}

/** @throws LayerpruneError that choosing layers left too little memory, which a new process has again */
function explainTaken(cause: Error): never {
  throw new LayerpruneError(`the layers are chosen, but the memory for that is not free again: ${cause.message}`, {
    hint: 'the same command with `resumeFrom` measures the cuts within the limit, or raise it',
    cause,
  })
}

/** @throws LayerpruneError if what is resumed is of another sweep */
async function openProgress(settings: SweepSettings, fingerprint: string): Promise<SweepProgress> {
  const { resumeFrom, maxMemory, ...named } = settings
  const identity = identifyWork(fingerprint, named)
  if (resumeFrom === undefined) return { identity, texts: {} }
  assertSameWork(resumeFrom, identity)
  return resumeFrom
}

async function chooseOrRecall(settings: SweepSettings, layers: number, progress: SweepProgress): Promise<Chosen> {
  if (progress.chosen !== undefined) return progress.chosen
  settings.onNote?.(
    `choosing layers by ${formatList(settings.strategies)} on the first ${formatQuantity(settings.datasetSize, 'text')}`,
  )
  progress.choosing ??= { answers: {}, distances: {} }
  progress.chosen = await chooseCuts(
    {
      ...settings,
      onProgress: renamePhase(settings.onProgress, 'distances', { next: 'perplexity of the cuts' }),
    },
    layers,
    { known: progress.choosing, onSaved: () => save(settings, progress) },
  )
  delete progress.choosing
  await save(settings, progress)
  return progress.chosen
}

function takeShard(cuts: ChosenCut[], { shard }: SweepSettings): ChosenCut[] {
  if (shard === undefined) return cuts
  return cuts.filter((_, index) => isInShard(index, shard))
}

function describeWork(cuts: ChosenCut[], { datasetSize, verifySize, repair }: SweepSettings): string {
  const how = repair ? ', as they are and repaired,' : ''
  return `measuring ${formatQuantity(cuts.length, 'cut')}${how} on up to ${formatQuantity(verifySize, 'text')} after the first ${datasetSize}`
}

/** Tasks of the whole model and of each cut; undefined if none was asked for. */
async function measureOnTasks(
  settings: SweepSettings,
  cuts: ChosenCut[],
  progress: SweepProgress,
): Promise<SweepProgress['tasks']> {
  const { tasks, batchSize: _, maxLength: __, resumeFrom, onSaved, ...options } = settings
  if (tasks === undefined || progress.tasks !== undefined) return progress.tasks
  const candidates = cuts.map(({ removed }) => removed)
  const found = await measureTasks({
    ...{ ...options, tasks, candidates, resumeFrom: progress.taskWork },
    onSaved: (work) => {
      progress.taskWork = work
      return save(settings, progress)
    },
  })
  delete progress.taskWork
  progress.tasks = { tasks: found.tasks, taskSettings: found.taskSettings, candidates: found.candidates }
  await save(settings, progress)
  return progress.tasks
}

async function save({ onSaved }: SweepSettings, progress: SweepProgress): Promise<void> {
  await onSaved?.(progress)
}
