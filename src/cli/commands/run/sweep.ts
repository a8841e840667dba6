import { join } from 'node:path'
import { UsageError } from '../../../base/errors.js'
import { formatList } from '../../../base/format-numbers.js'
import { SWEEP_LIST } from '../../../jobs/library/option-lists.js'
import type { SweepOptions, SweepStrategy } from '../../../jobs/sweep/options.js'
import type { SweepProgress } from '../../../jobs/sweep/progress.js'
import { sweepCuts } from '../../../jobs/sweep/sweep.js'
import { planRecommended } from '../../../results/documents/recommended-plan.js'
import type { SweepResult } from '../../../results/documents/sweep-result.js'
import { type CarriedOptions, TAKEN_OVER } from '../../../results/next-command.js'
import { formatSweepCsv } from '../../../results/report/csv.js'
import { drawSweep } from '../../../results/report/sweep-svg.js'
import { formatNextCut } from '../../terminal/next-command.js'
import { printDocument, printNote, setQuiet } from '../../terminal/output.js'
import { formatSamples, withPlainSamples } from '../../terminal/samples.js'
import { formatSweep } from '../../terminal/sweep.js'
import { type ClaimedFolder, withFolder } from './claim-output.js'
import { pick } from './pick.js'
import { printOnce } from './print-once.js'
import { recordRun } from './record-run.js'
import { asJson, runResumable } from './resumable.js'
import { runWithHooks } from './run-hooks.js'

export interface SweepFlags extends Pick<SweepOptions, (typeof SWEEP_LIST)['flags'][number]> {
  dataset: string[]
  strategy?: SweepStrategy[]
  /** The same as `sizes`. */
  layersToSkip?: number[]
  task?: string[]
  resume?: boolean
  force?: boolean
  output: string
  json?: boolean
  quiet?: boolean
}

export async function run({ layersToSkip, ...given }: SweepFlags): Promise<void> {
  if (layersToSkip !== undefined && given.sizes !== undefined) {
    throw new UsageError('--sizes and --layers-to-skip are the same: give one of them')
  }
  const flags = { ...given, sizes: given.sizes ?? layersToSkip }
  const { output, task: tasks, minTask, shard } = flags
  const unasked = Object.keys(minTask ?? {}).find((name) => !tasks?.includes(name))
  if (unasked !== undefined) throw new UsageError(`--min-task ${unasked} needs --task ${unasked}`)
  setQuiet(flags.quiet ?? false)
  const run = recordRun('sweep', flags)
  await withFolder(output, { run, name: nameSweep({ shard }), force: flags.force }, (folder) =>
    sweepInto(folder, flags),
  )
}

async function sweepInto(folder: ClaimedFolder, flags: SweepFlags): Promise<void> {
  const { output, strategy: strategies, task: tasks, shard, resume } = flags
  const { run } = folder
  const path = join(output, `${nameSweep({ shard })}.partial.json`)
  await runResumable<SweepProgress>({ path, form: asJson(run), resume }, async (resuming) => {
    const swept = await runWithHooks(flags, (hooks) =>
      sweepCuts({
        ...pick(flags, SWEEP_LIST.flags),
        strategies,
        tasks,
        ...resuming,
        ...hooks,
        onNote: printOnce(printNote),
      }),
    )
    const result = { ...swept, run }
    await showSweep(result, flags, await writeSweepFiles(folder, result), { options: flags })
  })
}

/** Writes a sweep: JSON (of a shard only this), table, curves, recommended plan; returns the names of the files. */
export async function writeSweepFiles(folder: ClaimedFolder, sweep: SweepResult): Promise<string[]> {
  const json = `${JSON.stringify(sweep, null, 2)}\n`
  const files: Record<string, string> = sweep.shard
    ? { [`${nameSweep(sweep)}.json`]: json }
    : { 'sweep.json': json, 'sweep.csv': formatSweepCsv(sweep), 'sweep.svg': drawSweep(sweep) }
  const plan = planRecommended(sweep)
  if (plan !== null) files['plan.json'] = `${JSON.stringify({ ...plan, run: sweep.run }, null, 2)}\n`
  return folder.write(files)
}

/** What the next command is made of: the options of the run, and whether it measured the cuts in parts. */
interface SweepOrigin {
  options: CarriedOptions
  isMerged?: boolean
}

/** Prints a sweep as a table or as JSON, then the next command and the files written. */
export async function showSweep(
  sweep: SweepResult,
  flags: { json?: boolean; output: string },
  files: string[],
  origin: SweepOrigin,
): Promise<void> {
  await printDocument(flags.json ? sweep : withPlainSamples(sweep), flags, (shown, window) =>
    [
      formatSweep(shown, window),
      ...(shown.samples?.length ? [formatSamples(shown.samples)] : []),
      ...(shown.recommended === null ? [] : [formatCutOfSweep(shown, flags.output, origin)]),
    ].join('\n\n'),
  )
  printNote(`wrote ${formatList(files)} to ${flags.output}`)
}

/** The command for the recommended cut, with --repair if it was measured so, and with --samples for merged shards. */
function formatCutOfSweep(
  { model, settings, candidates }: SweepResult,
  output: string,
  { options, isMerged = false }: SweepOrigin,
): string {
  const { maxLength } = settings
  const { datasetSize = TAKEN_OVER.sweep.datasetSize } = options
  const isRepaired = candidates.some(({ repaired }) => repaired !== undefined)
  return formatNextCut(
    {
      options: { ...options, datasetSize, maxLength },
      cut: [
        ...['--from', join(output, 'plan.json')],
        ...(isRepaired ? ['--repair'] : []),
        ...(isMerged ? ['--samples', '3'] : []),
      ],
      use: isRepaired ? 'repair' : isMerged ? 'samples' : 'cut',
      file: model.file,
      isAdapter: model.base !== undefined,
    },
    isMerged ? 'To make the cut, and see what the whole and the cut model say' : undefined,
  )
}

function nameSweep({ shard }: Pick<SweepFlags, 'shard'>): string {
  return shard === undefined ? 'sweep' : `sweep.shard-${shard.index}-of-${shard.count}`
}
