import { join } from 'node:path'
import { UsageError } from '../../../base/errors.js'
import { nameFlag } from '../../../base/name-option.js'
import { mergeEvaluations } from '../../../jobs/evaluate/merge-evaluations.js'
import { mergeShards } from '../../../jobs/similarity/merge-shards.js'
import { mergeSweeps } from '../../../jobs/sweep/merge-sweeps.js'
import { readDocument } from '../../../results/documents/read-document.js'
import { readEvaluation, readSimilarityResult, readSweep } from '../../../results/documents/read-saved.js'
import type { RunRecord } from '../../../results/documents/run-record.js'
import type { SweepLimits } from '../../../results/documents/sweep-result.js'
import { optionsOf } from '../../../results/next-command.js'
import { formatEvaluation } from '../../terminal/evaluation.js'
import { printDocument, printNote, setQuiet } from '../../terminal/output.js'
import { withFolder } from './claim-output.js'
import { suggestCut } from './evaluate.js'
import { pick } from './pick.js'
import { recordRun } from './record-run.js'
import { writeResultFiles } from './result-files.js'
import { showResult } from './show-result.js'
import { showSweep, writeSweepFiles } from './sweep.js'

const LIMITS = ['maxPerplexityRatio', 'maxSize', 'minTask'] as const satisfies (keyof SweepLimits)[]

export interface MergeFlags extends Pick<SweepLimits, (typeof LIMITS)[number]> {
  output: string
  force?: boolean
  json?: boolean
  quiet?: boolean
}

export async function run(files: string[], flags: MergeFlags): Promise<void> {
  setQuiet(flags.quiet ?? false)
  const { kind } = await readDocument(files[0]!)
  if (kind === 'sweep') return mergeSweepFiles(files, flags)
  const limit = LIMITS.find((name) => flags[name] !== undefined)
  if (limit !== undefined) throw new UsageError(`${nameFlag(limit)} applies only to shards of a sweep`)
  if (kind === 'evaluation') return mergeEvaluationFiles(files, flags)
  const shards = await Promise.all(files.map(async (file) => ({ file, result: await readSimilarityResult(file) })))
  const result = { ...mergeShards(shards), run: recordMerge(files, shards[0]!.result.run) }
  const claim = { run: result.run, name: 'similarity', force: flags.force, inputs: files }
  await withFolder(flags.output, claim, async (folder) =>
    showResult(result, flags, await writeResultFiles(folder, result), { options: optionsOf(result) }),
  )
}

async function mergeEvaluationFiles(files: string[], flags: MergeFlags): Promise<void> {
  const parts = await Promise.all(files.map(async (file) => ({ file, evaluation: await readEvaluation(file) })))
  const evaluation = { ...mergeEvaluations(parts), run: recordMerge(files, parts[0]!.evaluation.run) }
  const claim = { run: evaluation.run, name: 'evaluation', force: flags.force, inputs: files }
  await withFolder(flags.output, claim, (folder) =>
    folder.write({ 'evaluation.json': `${JSON.stringify(evaluation, null, 2)}\n` }),
  )
  const cut = ['--from', join(flags.output, 'evaluation.json')]
  await printDocument(evaluation, flags, (found, window) =>
    [formatEvaluation(found, window), ...suggestCut(found, optionsOf(evaluation), () => cut)].join('\n\n'),
  )
  printNote(`wrote evaluation.json to ${flags.output}`)
}

async function mergeSweepFiles(files: string[], flags: MergeFlags): Promise<void> {
  const shards = await Promise.all(files.map(async (file) => ({ file, sweep: await readSweep(file) })))
  const limits = pick(flags, LIMITS)
  const sweep = { ...mergeSweeps(shards, limits), run: recordMerge(files, shards[0]!.sweep.run, limits) }
  const claim = { run: sweep.run, name: 'sweep', force: flags.force, inputs: files }
  await withFolder(flags.output, claim, async (folder) =>
    showSweep(sweep, flags, await writeSweepFiles(folder, sweep), { options: optionsOf(sweep), isMerged: true }),
  )
}

/** The record of what shards are the parts of; of shards that the library made, which have none, their files. */
function recordMerge(files: string[], shard: RunRecord | undefined, limits: SweepLimits = {}): RunRecord {
  return shard === undefined
    ? recordRun('merge', { files, ...limits })
    : recordRun(shard.command, { ...shard.options, ...limits })
}
