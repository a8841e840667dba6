import { UsageError } from '../../../base/errors.js'
import { writeFilesAtomically } from '../../../base/write-files.js'
import { mergeEvaluations } from '../../../jobs/evaluate/merge-evaluations.js'
import { mergeShards } from '../../../jobs/similarity/merge-shards.js'
import { mergeSweeps } from '../../../jobs/sweep/merge-sweeps.js'
import { readDocument } from '../../../results/documents/read-document.js'
import { readEvaluation, readSimilarityResult, readSweep } from '../../../results/documents/read-saved.js'
import { formatEvaluation } from '../../terminal/evaluation.js'
import { printDocument, printNote, setQuiet } from '../../terminal/output.js'
import { suggestCut } from './evaluate.js'
import { pick } from './pick.js'
import { writeResultFiles } from './result-files.js'
import { showResult } from './show-result.js'
import { showSweep, writeSweepFiles } from './sweep.js'

export interface MergeFlags {
  output: string
  maxPerplexityRatio?: number
  maxSize?: number
  json?: boolean
  quiet?: boolean
}

export async function run(files: string[], flags: MergeFlags): Promise<void> {
  setQuiet(flags.quiet ?? false)
  const { kind } = await readDocument(files[0]!)
  if (kind === 'sweep') return mergeSweepFiles(files, flags)
  if (flags.maxPerplexityRatio !== undefined || flags.maxSize !== undefined) {
    throw new UsageError('--max-perplexity-ratio and --max-size apply only to shards of a sweep')
  }
  if (kind === 'evaluation') return mergeEvaluationFiles(files, flags)
  const shards = await Promise.all(files.map(async (file) => ({ file, result: await readSimilarityResult(file) })))
  const result = mergeShards(shards)
  const written = await writeResultFiles(flags.output, result)
  await showResult(result, flags, written)
}

async function mergeEvaluationFiles(files: string[], flags: MergeFlags): Promise<void> {
  const { output } = flags
  const parts = await Promise.all(files.map(async (file) => ({ file, evaluation: await readEvaluation(file) })))
  const evaluation = mergeEvaluations(parts)
  await writeFilesAtomically(output, { 'evaluation.json': `${JSON.stringify(evaluation, null, 2)}\n` })
  await printDocument(evaluation, flags, (found, window) => {
    const { id, askedRevision } = found.model
    return [formatEvaluation(found, window), ...suggestCut(found, { model: id, revision: askedRevision })].join('\n\n')
  })
  printNote(`wrote evaluation.json to ${output}`)
}

async function mergeSweepFiles(files: string[], flags: MergeFlags): Promise<void> {
  const shards = await Promise.all(files.map(async (file) => ({ file, sweep: await readSweep(file) })))
  const sweep = mergeSweeps(shards, pick(flags, ['maxPerplexityRatio', 'maxSize'] as const))
  const written = await writeSweepFiles(flags.output, sweep)
  await showSweep(sweep, flags, written)
}
