import { digest } from '../../../base/digest.js'
import { UsageError } from '../../../base/errors.js'
import { formatQuantity } from '../../../base/format-numbers.js'
import { renamePhase } from '../../../base/progress.js'
import { VERSION } from '../../../base/version.js'
import { writeFileAtomically } from '../../../base/write-files.js'
import { locateModel } from '../../../engine/model.js'
import { evaluateAgainst } from '../../../jobs/evaluate/against.js'
import { type EvaluationOptions, evaluatePerplexity } from '../../../jobs/evaluate/perplexity.js'
import { EVALUATION_LIST, TASK_LIST } from '../../../jobs/library/option-lists.js'
import type { ResumeOptions, SavedWork } from '../../../jobs/run/saved-work.js'
import { findTasks } from '../../../jobs/tasks/find-tasks.js'
import type { TaskEvaluationOptions } from '../../../jobs/tasks/measure-tasks.js'
import { measureTasks, type TaskSample } from '../../../jobs/tasks/measure-tasks.js'
import { formatBlocks } from '../../../model/layers/blocks.js'
import { areOfOneSize } from '../../../results/documents/evaluation-columns.js'
import type { EvaluationResult } from '../../../results/documents/evaluation-result.js'
import type { Plan } from '../../../results/documents/plan.js'
import type { RunRecord } from '../../../results/documents/run-record.js'
import type { TaskResult } from '../../../results/documents/task-result.js'
import { joinUses } from '../../../results/documents/text-uses.js'
import type { CarriedOptions } from '../../../results/next-command.js'
import { formatEvaluation } from '../../terminal/evaluation.js'
import { formatNextCut } from '../../terminal/next-command.js'
import { printDocument, printNote, setQuiet } from '../../terminal/output.js'
import { formatTasks, suggestCutByTasks } from '../../terminal/tasks.js'
import type { RemovalFlags } from '../removal-flags.js'
import { withFile } from './claim-output.js'
import { pick } from './pick.js'
import { recordRun } from './record-run.js'
import { listSavedFiles, planRemoval, readRemovals } from './removal.js'
import { asJson, partialPath, runResumable } from './resumable.js'
import { type RunHooks, runWithHooks } from './run-hooks.js'
import { isWritable, noteUnwritable, withProblems } from './unwritable-cuts.js'

export interface EvaluateFlags
  extends Pick<EvaluationOptions, (typeof EVALUATION_LIST)['flags'][number]>,
    Pick<TaskEvaluationOptions, (typeof TASK_LIST)['flags'][number]>,
    RemovalFlags {
  dataset?: string[]
  task?: string[]
  against?: string
  logSamples?: string
  resume?: boolean
  output?: string
  force?: boolean
  json?: boolean
  quiet?: boolean
}

export async function run(flags: EvaluateFlags): Promise<void> {
  const { output, logSamples, dataset = [] } = flags
  assertSomethingIsAsked(flags)
  assertPossible(flags)
  setQuiet(flags.quiet ?? false)
  const inputs = [...dataset, ...listSavedFiles(flags), ...Object.values(flags.taskData ?? {})]
  const run = recordRun('evaluate', flags)
  const claim = { run, force: flags.force, inputs }
  await withFile(output, claim, () => withFile(logSamples, claim, () => evaluate(flags, run)))
}

async function evaluate(flags: EvaluateFlags, run: RunRecord): Promise<void> {
  const removals = await readRemovals(flags)
  if (flags.against !== undefined) assertTwoModels(flags, removals.length)
  const path = partialPath(flags.output, run)
  await runResumable<EvaluationWork>({ path, form: asJson(run), resume: flags.resume }, async (resuming) => {
    const samples: TaskSample[] = []
    let problems: (string | undefined)[] = []
    const measured = await runWithHooks(flags, async (hooks) => {
      const { id, config } = await locateModel({ ...pick(flags, EVALUATION_LIST.flags), onNote: undefined })
      const model = { id, layers: config.layers, family: config.modelType }
      const plans = await Promise.all(removals.map((removal) => planRemoval(removal, model)))
      await noteChosenOnTasks(plans, flags)
      problems = await noteUnwritable({ ...pick(flags, EVALUATION_LIST.flags), ...hooks }, plans)
      return measure(flags, plans, { ...hooks, ...resuming, onDocument: (sample) => samples.push(sample) })
    })
    const result = { ...withProblems(measured, problems), run }
    await writeFiles(flags, result, samples)
    await show(result, flags)
  })
}

async function writeFiles(
  { output, logSamples }: EvaluateFlags,
  result: (EvaluationResult | TaskResult) & { run: RunRecord },
  samples: TaskSample[],
): Promise<void> {
  if (output !== undefined) await writeFileAtomically(output, `${JSON.stringify(result, null, 2)}\n`)
  if (logSamples === undefined) return
  const lines = samples.map(
    (sample) => `${JSON.stringify({ ...sample, run: digest(result.run), layerpruneVersion: VERSION })}\n`,
  )
  await writeFileAtomically(logSamples, lines.join(''))
}

async function show(result: EvaluationResult | TaskResult, flags: EvaluateFlags): Promise<void> {
  const nameCut = nameCutOf(result, flags)
  await printDocument(result, flags, (found, window) =>
    [
      ...(found.tasks === undefined ? [] : [formatTasks(found as TaskResult, window)]),
      ...('perplexity' in found ? [formatEvaluation(found, window)] : []),
      ...('perplexity' in found ? suggestCut(found, flags, nameCut) : suggestCutByTasks(found, flags, nameCut)),
    ].join('\n\n'),
  )
  for (const file of [flags.output, flags.logSamples]) if (file !== undefined) printNote(`wrote ${file}`)
}

/** Says which plans were chosen on documents of a task that is measured: these are no others. */
async function noteChosenOnTasks(plans: Plan[], { task = [] }: EvaluateFlags): Promise<void> {
  const { tasks } = await findTasks(task)
  for (const { scores, dataset } of plans) {
    const { documents, split } = { documents: 0, split: '', ...dataset }
    if (!tasks.some((measured) => measured.name === scores?.task && measured.split === split)) continue
    printNote(
      `the layers were chosen on ${formatQuantity(documents, 'document')} of ${scores!.task} (${split}): accuracy on those says little about others`,
    )
  }
}

/** The words of a command that name the cut of a candidate, by its position. */
type NameCut = (candidate: number) => string[]

/** By the file of this evaluation, the file that the cut was read from, or else its layers. */
function nameCutOf({ candidates, ...found }: EvaluationResult | TaskResult, flags: EvaluateFlags): NameCut {
  const { output, layersToSkip, drop = [] } = flags
  const files = listSavedFiles(flags)
  // by tasks alone, several cuts have no order in the file
  const isOrdered = 'perplexity' in found || candidates.length === 1
  return (candidate) => {
    if (output !== undefined && isOrdered) return ['--from', output]
    const file = files[candidate - drop.length]
    if (file === undefined) return ['--drop', formatBlocks(candidates[candidate]!.removed)]
    return ['--from', file, ...(layersToSkip === undefined ? [] : ['--layers-to-skip', String(layersToSkip)])]
  }
}

/** The command for the cut with the lowest perplexity, if any is finite. */
export function suggestCut(
  { model, candidates, shard }: EvaluationResult,
  options: CarriedOptions,
  nameCut: NameCut,
): string[] {
  if (shard !== undefined || !areOfOneSize(candidates)) return []
  const finite = candidates.filter((candidate) => candidate.perplexity !== null).filter(isWritable)
  if (finite.length === 0) return []
  const lowest = finite.reduce((a, b) => (b.perplexity < a.perplexity ? b : a))
  const title = candidates.length === 1 ? 'To make the cut' : 'To make the cut of the lowest perplexity'
  const cut = nameCut(candidates.indexOf(lowest))
  return [formatNextCut({ options, cut, file: model.file, isAdapter: model.base !== undefined }, title)]
}

/** @throws UsageError if flags for one model are combined with --against */
function assertTwoModels({ dataset, task }: EvaluateFlags, removals: number): void {
  if (removals > 0) throw new UsageError('--against compares two models as they are, without layers removed')
  if (task !== undefined) throw new UsageError('--against compares what two models predict of texts, not tasks')
  if (dataset === undefined) throw new UsageError('--against needs texts: give --dataset')
}

function assertSomethingIsAsked({ dataset, task, taskData, limit, numFewshot, logSamples }: EvaluateFlags): void {
  if (dataset === undefined && task === undefined) {
    throw new UsageError('nothing to measure: give --dataset for perplexity, --task for accuracy, or both')
  }
  const ofTasks = {
    '--task-data': taskData,
    '--limit': limit,
    '--num-fewshot': numFewshot,
    '--log-samples': logSamples,
  }
  const [flag] = Object.entries(ofTasks).find(([, value]) => value !== undefined) ?? []
  if (flag !== undefined && task === undefined) throw new UsageError(`${flag} requires --task`)
}

/** @throws UsageError if --max-memory or --shard is combined with flags that need the whole */
function assertPossible({ task, against, maxMemory, shard, output, json }: EvaluateFlags): void {
  const [flag] = Object.entries({ '--task': task, '--against': against }).find(([, value]) => value) ?? []
  if (maxMemory !== undefined && flag !== undefined) {
    throw new UsageError(`--max-memory cannot be combined with ${flag}, which runs the whole model at once`)
  }
  if (shard === undefined) return
  if (flag !== undefined) {
    throw new UsageError(`--shard measures a part of the texts of --dataset, so it cannot be combined with ${flag}`)
  }
  if (output === undefined && json !== true) {
    throw new UsageError('--shard needs an output file for layerprune merge', {
      hint: `-o evaluation.shard-${shard.index}-of-${shard.count}.json`,
    })
  }
}

/** What an evaluation has found out so far. */
interface EvaluationWork {
  texts?: SavedWork | undefined
  tasks?: SavedWork | undefined
}

interface MeasuringHooks extends RunHooks {
  resumeFrom: EvaluationWork | undefined
  onSaved: (work: EvaluationWork) => Promise<void>
  onDocument: (sample: TaskSample) => void
}

async function measure(
  { dataset, task: tasks, ...flags }: EvaluateFlags,
  plans: Plan[],
  { resumeFrom, onSaved, onDocument, ...hooks }: MeasuringHooks,
): Promise<EvaluationResult | TaskResult> {
  const known = resumeFrom ?? {}
  const keep = (part: keyof EvaluationWork): ResumeOptions => ({
    resumeFrom: known[part],
    onSaved: (work) => {
      known[part] = work
      return onSaved(known)
    },
  })
  const candidates = plans.map(({ removed }) => removed)
  const leaveOut = plans.map(({ texts }) => texts).reduce(joinUses, undefined)
  const options = { ...pick(flags, EVALUATION_LIST.flags), ...hooks, candidates }
  const { against } = flags
  if (dataset && against !== undefined)
    return evaluateAgainst({ ...options, ...keep('texts'), dataset, against, leaveOut })
  const next = tasks && 'tasks'
  const onProgress = renamePhase(hooks.onProgress, 'perplexity', { next })
  const evaluation =
    dataset && (await evaluatePerplexity({ ...options, ...keep('texts'), dataset, leaveOut, onProgress }))
  if (tasks === undefined) return evaluation!
  const ofTasks = { ...pick(flags, TASK_LIST.flags), tasks, onDocument }
  const measured = await measureTasks({ ...options, ...keep('tasks'), ...ofTasks })
  if (evaluation === undefined) return measured
  return {
    ...evaluation,
    tasks: measured.tasks,
    taskSettings: measured.taskSettings,
    candidates: evaluation.candidates.map((candidate, index) => ({
      ...candidate,
      tasks: measured.candidates[index]!.tasks,
    })),
  }
}
