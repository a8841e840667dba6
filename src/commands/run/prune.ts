import type { Command } from 'commander'
import { openDataset } from '../../data/dataset.js'
import type { PruneResult } from '../../documents/prune-result.js'
import { UsageError } from '../../errors.js'
import { formatBlocks } from '../../layers/blocks.js'
import { locateModel } from '../../model.js'
import { type PruneOptions, pruneModel } from '../../prune/prune.js'
import { describeRepairInCard } from '../../repair/describe-repair.js'
import { type RepairModelOptions, repairModel } from '../../repair/repair-model.js'
import type { RepairReport } from '../../repair/repair-report.js'
import { formatNextCommand } from '../../terminal/next-command.js'
import { printDocument, printNote, setQuiet } from '../../terminal/output.js'
import { createProgress } from '../../terminal/progress.js'
import { formatPruned } from '../../terminal/pruned.js'
import { formatRepaired } from '../../terminal/repaired.js'
import { formatSamples, withPlainSamples } from '../../terminal/samples.js'
import { WEIGHT_OPTIONS } from '../measuring-flags.js'
import { PRUNE_OPTIONS, type PruneFlags } from '../prune.js'
import { listenForInterruption } from './interruption.js'
import { listMakingFlags } from './making-flags.js'
import { chooseSamples, measurePruned, measuresModels } from './measure-pruned.js'
import { pick } from './pick.js'
import { printOnce } from './print-once.js'
import { planRemoval, readRemoval } from './removal.js'
import { readRepairOptions } from './repair-options.js'
import { reportDownload } from './run-hooks.js'

export async function run(flags: PruneFlags, command: Command): Promise<void> {
  const { quiet = false } = flags
  setQuiet(quiet)
  const repairOptions = readRepairOptions(flags)
  if (repairOptions !== undefined && flags.allDtypes) {
    throw new UsageError('--repair fits the weights of one graph, and --all-dtypes was asked for')
  }
  const removal = await readRemoval(flags)
  const interruption = listenForInterruption(() => printNote('stopping; press Ctrl-C again to stop at once'))
  const { signal } = interruption
  const onNote = printOnce(printNote)
  const model = pick(flags, WEIGHT_OPTIONS)
  const progress = createProgress({ quiet })
  const onProgress = progress.update
  const onDownload = reportDownload(onProgress)
  const hooks = { signal, onNote, onProgress, onDownload }
  const options = { ...pick(flags, PRUNE_OPTIONS), flags: listMakingFlags(command), ...hooks }
  try {
    const { config } = await locateModel({ ...model, signal, onNote: undefined })
    const plan = await planRemoval(removal, {
      id: flags.model,
      layers: config.layers,
      family: config.modelType,
    })
    const samples = measuresModels(flags) ? chooseSamples(flags, plan) : undefined
    if (samples !== undefined) await openDataset(samples)
    let repair: Repair | undefined
    if (repairOptions !== undefined) {
      await pruneModel({ ...options, plan, dryRun: true, onNote: undefined })
      repair = await repairBeforeWriting({ ...model, ...repairOptions, removed: plan.removed, ...hooks })
    }
    const result = await pruneModel({ ...options, ...repair?.changes, plan })
    const { removed } = plan
    const measures = measuresModels(flags)
      ? await measurePruned({
          ...{ ...model, ...pick(flags, ['threads']), ...repair?.changes },
          ...{ removed, samples, ...hooks },
        })
      : {}
    progress.stop()
    const written = { ...result, ...measures, ...(repair ? { repair: repair.report } : {}) }
    // a line feed is no letter of a sample as a person reads it
    const shown = flags.json ? written : withPlainSamples(written)
    await printDocument(shown, flags, ({ repair, ...pruned }) =>
      [
        formatPruned(pruned, flags.output),
        ...(repair ? [formatRepaired(repair)] : []),
        ...(pruned.samples?.length ? ['', formatSamples(pruned.samples)] : []),
        '',
        suggestNext(pruned, flags),
      ].join('\n'),
    )
  } finally {
    progress.stop()
    interruption.stop()
  }
}

/** The command that measures what was written, or that writes it after all. */
function suggestNext({ dryRun, plan }: PruneResult, flags: PruneFlags): string {
  const { model, revision, output, dataset = ['texts.jsonl'] } = flags
  if (dryRun) {
    const words = ['--drop', formatBlocks(plan.removed), '-o', output]
    return formatNextCommand('To write it', { command: 'prune', model, revision, words })
  }
  const words = ['--dataset', ...[dataset].flat()]
  return formatNextCommand('To measure it', { command: 'evaluate', model: output, words })
}

interface Repair {
  changes: Pick<PruneOptions, 'replacements' | 'cardSections'>
  report: RepairReport
}

/** Fits the repair and measures it. */
async function repairBeforeWriting(options: RepairModelOptions): Promise<Repair> {
  const { replacements, report } = await repairModel(options)
  return { changes: { replacements, cardSections: describeRepairInCard(report) }, report }
}
