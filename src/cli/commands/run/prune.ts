import { existsSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import type { Command } from 'commander'
import { UsageError } from '../../../base/errors.js'
import { locateModel } from '../../../engine/model.js'
import type { HealResult } from '../../../jobs/heal/heal-result.js'
import { INSPECT_LIST, PRUNE_LIST } from '../../../jobs/library/option-lists.js'
import { pruneModel } from '../../../jobs/prune/prune.js'
import { describeRepairInCard } from '../../../jobs/repair/describe-repair.js'
import { repairModel } from '../../../jobs/repair/repair-model.js'
import type { RepairReport } from '../../../jobs/repair/repair-report.js'
import {
  encodeRepairState,
  type RepairState,
  readRepairState,
  repairStatePath,
} from '../../../jobs/repair/repair-state.js'
import { EVALUATION_TEXTS } from '../../../jobs/repair/repair-texts.js'
import { readUses } from '../../../jobs/write-model/find-plan.js'
import type { PruneResult } from '../../../results/documents/prune-result.js'
import { joinUses } from '../../../results/documents/text-uses.js'
import {
  type CarriedOptions,
  formatCommand,
  formatUpload,
  OWN_TEXTS,
  READING,
  TAKEN_OVER,
} from '../../../results/next-command.js'
import { openDataset } from '../../../texts/data/dataset.js'
import { formatTrained } from '../../terminal/healed.js'
import { formatTitled } from '../../terminal/next-command.js'
import { printDocument, printNote, setQuiet } from '../../terminal/output.js'
import { createProgress } from '../../terminal/progress.js'
import { formatPruned } from '../../terminal/pruned.js'
import { formatRepaired } from '../../terminal/repaired.js'
import { formatSamples, withPlainSamples } from '../../terminal/samples.js'
import type { PruneFlags } from '../prune-flags.js'
import { exportWritten, formatExports, planExportsOfWritten } from './export-written.js'
import { listenForInterruption } from './interruption.js'
import { listMakingFlags } from './making-flags.js'
import { chooseSamples, measurePruned, measuresModels } from './measure-pruned.js'
import { pick } from './pick.js'
import { printOnce } from './print-once.js'
import { assertHealable, type Pruned, pruneAndHeal, readHealOptions } from './prune-heal.js'
import { planRemoval, readRemoval } from './removal.js'
import { readRepairOptions } from './repair-options.js'
import { runResumable, type StateForm } from './resumable.js'
import { reportDownload } from './run-hooks.js'
import type { Removal } from './saved-cut.js'
import { formatTypedCommand, formatWrittenCommand } from './typed-command.js'

export async function run(flags: PruneFlags, command: Command): Promise<void> {
  const { quiet = false } = flags
  setQuiet(quiet)
  const repairOptions = readRepairOptions(flags)
  if (repairOptions !== undefined && flags.allDtypes) {
    throw new UsageError('--repair cannot be combined with --all-dtypes, because it fits the weights of one graph')
  }
  const healOptions = readHealOptions(flags)
  if (flags.export !== undefined && flags.allDtypes) {
    throw new UsageError('--export cannot be combined with --all-dtypes, because it exports one set of weights')
  }
  const removal = await readRemoval(flags)
  const interruption = listenForInterruption()
  const { signal } = interruption
  const onNote = printOnce(printNote)
  const model = pick(flags, INSPECT_LIST.flags)
  const progress = createProgress({ quiet })
  const onProgress = progress.update
  const hooks = { signal, onNote, onProgress, onDownload: reportDownload(onProgress) }
  const making = listMakingFlags(command)
  const typed = { command: formatTypedCommand(), name: basename(resolve(flags.output)) }
  const options = { ...pick(flags, PRUNE_LIST.flags), card: typed, ...hooks }
  try {
    const located = await locateModel({ ...model, signal, onNote: undefined })
    const { id, config, folder } = located
    const chosen = await planRemoval(removal, { id, layers: config.layers, family: config.modelType })
    const plan = { ...chosen, texts: joinUses(await readUses(located), chosen.texts) }
    const samples = measuresModels(flags) ? chooseSamples(flags, plan, onNote) : undefined
    if (samples !== undefined) await openDataset(samples)
    const { removed } = plan
    const planned = await planExportsOfWritten(flags, { ...model, removed, ...hooks })
    const prune = async (output: string): Promise<Pruned> => {
      const own = { ...options, plan }
      if (repairOptions ?? healOptions) {
        const planned = await pruneModel({ ...own, dryRun: true, onNote: undefined })
        if (healOptions) await assertHealable(flags, planned)
      }
      if (repairOptions === undefined) return { result: await pruneModel({ ...own, card: typed, output }) }
      return runResumable(repairPlace(flags), async (resuming) => {
        const ofCut = { removed, leaveOut: chosen.texts }
        const found = await repairModel({ ...model, ...repairOptions, ...ofCut, ...hooks, ...resuming })
        const { report: repair, replacements, uses } = found
        const card = { ...typed, ...describeRepairInCard(repair) }
        const repaired = { ...plan, texts: joinUses(plan.texts, uses) }
        return {
          result: await pruneModel({ ...own, plan: repaired, replacements, card, output }),
          repair,
          replacements,
        }
      })
    }
    const made = healOptions
      ? await pruneAndHeal({ flags, making, removed, heal: { ...healOptions, ...hooks }, whole: folder }, prune)
      : await prune(flags.output)
    const { replacements } = made
    const pruned = { removed, replacements, trained: healOptions && flags.output }
    const running = { ...model, ...pick(flags, ['threads', 'maxMemory']), ...hooks }
    const measures = measuresModels(flags) ? await measurePruned({ ...running, ...pruned, samples }) : {}
    const { ignoreConfigKey, threads } = flags
    const exports = flags.dryRun ? planned : await exportWritten(flags, { ignoreConfigKey, threads, ...hooks })
    progress.stop()
    await show({ ...describe(made, measures), ...(exports.length > 0 && { exports }) }, flags, removal)
  } finally {
    progress.stop()
    interruption.stop()
  }
}

type Shown = PruneResult & { repair?: RepairReport; heal?: HealResult }

function describe(
  { result, repair, heal }: Pruned & { heal?: HealResult },
  measures: Pick<PruneResult, 'tokensPerSecond' | 'samples'>,
): Shown {
  return { ...result, ...measures, ...(repair && { repair }), ...(heal && { heal }) }
}

async function show(written: Shown, flags: PruneFlags, removal: Removal): Promise<void> {
  // samples are printed on one line
  const shown = flags.json ? written : withPlainSamples(written)
  await printDocument(shown, flags, ({ repair, heal, ...pruned }) =>
    [
      formatPruned(pruned, flags.output),
      ...(repair ? [formatRepaired(repair, heal)] : []),
      ...(heal && !repair ? [formatTrained(heal)] : []),
      ...(pruned.samples?.length ? ['', formatSamples(pruned.samples)] : []),
      ...formatExports(pruned.exports, flags.output),
      '',
      suggestNext(pruned, flags, removal),
    ].join('\n'),
  )
}

/** Suggests a command that measures the written model, or that writes it after a dry run. */
function suggestNext({ dryRun, files }: PruneResult, flags: PruneFlags, { origin }: Removal): string {
  const { output } = flags
  if (dryRun) return formatTitled('To write it', formatWrittenCommand())
  const options = chooseMeasuring(flags, origin?.options)
  // a graph of another name than usual is not found by itself
  const file = files.find(({ name }) => name === flags.modelFile)?.name
  const measure = formatCommand('evaluate', { options: { ...options, model: output, modelFile: file } })
  return `${formatTitled('To measure it', measure)}\nTo publish it:\n  ${formatUpload(basename(resolve(output)), output)}`
}

/** The texts that a repair or a training measures on; if no texts are given, those that the layers were chosen on. */
function chooseMeasuring(flags: PruneFlags, chosenWith: CarriedOptions = {}): CarriedOptions {
  const { dataset, evaluateOn, evaluateSize = EVALUATION_TEXTS, maxLength = TAKEN_OVER.prune.maxLength } = flags
  const given: CarriedOptions = dataset === undefined ? { dataset: OWN_TEXTS, ...chosenWith } : flags
  return {
    ...pick(given, Object.keys(READING) as (keyof typeof READING)[]),
    // those are read from their beginning
    ...(evaluateOn !== undefined && { dataset: evaluateOn, datasetSkip: undefined }),
    ...{ datasetSize: evaluateSize, maxLength },
    ...pick(flags, ['ignoreConfigKey', 'tokenizer', 'threads']),
  }
}

/** Where a repair keeps the layers that it has fitted. */
function repairPlace({ output, resume, heal }: PruneFlags) {
  const path = repairStatePath(output)
  // of `prune --heal` it may be the training that goes on
  return { path, form: REPAIR_FORM, resume: resume && (!heal || existsSync(path)) }
}

const REPAIR_FORM: StateForm<RepairState> = { encode: encodeRepairState, read: readRepairState }
