import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makePlan, type Plan } from '../../documents/plan.js'
import type { SweepResult } from '../../documents/sweep-result.js'
import { LayerpruneError } from '../../errors.js'
import { formatList, formatQuantity } from '../../format-numbers.js'
import { formatSweepCsv } from '../../report/csv.js'
import { drawSweep } from '../../report/sweep-svg.js'
import type { SweepProgress } from '../../sweep/progress.js'
import { sweepCuts } from '../../sweep/sweep.js'
import { formatPlanCommand } from '../../terminal/next-command.js'
import { printDocument, printNote, setQuiet } from '../../terminal/output.js'
import { formatSweep } from '../../terminal/sweep.js'
import { ensureWritableFolder, writeFileAtomically, writeFilesAtomically } from '../../write-files.js'
import { SWEEP_OPTIONS, type SweepFlags } from '../sweep.js'
import { pick } from './pick.js'
import { runWithHooks } from './run-hooks.js'

export async function run(flags: SweepFlags): Promise<void> {
  const { output, strategy: strategies, shard } = flags
  setQuiet(flags.quiet ?? false)
  await ensureWritableFolder(output)
  const partial = join(output, `${nameSweep({ shard })}.partial.json`)
  const resumeFrom = await readProgress(partial, flags)
  const result = await runWithHooks(flags, (hooks) =>
    sweepCuts({
      ...pick(flags, SWEEP_OPTIONS),
      strategies,
      resumeFrom,
      ...hooks,
      onSaved: (progress) => writeFileAtomically(partial, `${JSON.stringify(progress)}\n`),
    }),
  )
  const written = await writeSweepFiles(output, result)
  await rm(partial, { force: true })
  await showSweep(result, flags, written)
}

/**
 * Writes a sweep to a folder: its JSON, table, curves and, if a cut is recommended, the plan of it; of a shard its JSON
 * alone.
 * @returns the names of the files
 */
export async function writeSweepFiles(folder: string, sweep: SweepResult): Promise<string[]> {
  const json = `${JSON.stringify(sweep, null, 2)}\n`
  const files: Record<string, string> = sweep.shard
    ? { [`${nameSweep(sweep)}.json`]: json }
    : { 'sweep.json': json, 'sweep.csv': formatSweepCsv(sweep), 'sweep.svg': drawSweep(sweep) }
  const plan = planRecommended(sweep)
  if (plan !== null) files['plan.json'] = `${JSON.stringify(plan, null, 2)}\n`
  await writeFilesAtomically(folder, files)
  return Object.keys(files)
}

/** Prints a sweep, as a table or as JSON, with the next command, and says which files it was written to. */
export async function showSweep(
  sweep: SweepResult,
  flags: { json?: boolean; output: string },
  files: string[],
): Promise<void> {
  await printDocument(sweep, flags, (shown, window) =>
    [
      formatSweep(shown, window),
      ...(shown.recommended === null
        ? []
        : [
            formatPlanCommand(
              shown.model,
              join(flags.output, 'plan.json'),
              isRepaired(shown) ? shown.dataset.id : undefined,
            ),
          ]),
    ].join('\n\n'),
  )
  printNote(`wrote ${formatList(files)} to ${flags.output}`)
}

function isRepaired({ candidates }: SweepResult): boolean {
  return candidates.some(({ repaired }) => repaired !== undefined)
}

/** Name of a sweep's JSON file without its ending. */
function nameSweep({ shard }: Pick<SweepFlags, 'shard'>): string {
  return shard === undefined ? 'sweep' : `sweep.shard-${shard.index}-of-${shard.count}`
}

/** The plan of the recommended cut; null if there is none. */
function planRecommended({
  model,
  dataset,
  candidates,
  recommended,
  whole,
  limits,
}: SweepResult): Plan | null {
  if (recommended === null) return null
  const { removed, strategies } = recommended
  const cut = candidates.find((other) => JSON.stringify(other.removed) === JSON.stringify(removed))!
  return makePlan({
    model: { id: model.id, layers: model.layers, family: model.family },
    strategy: 'sweep',
    removed,
    scores: {
      strategies,
      perplexity: cut.perplexity,
      ...(cut.repaired && { repairedPerplexity: cut.repaired.perplexity }),
      wholePerplexity: whole.perplexity,
      limits,
    },
    dataset: { id: dataset.id, column: dataset.column, texts: dataset.texts },
  })
}

async function readProgress(path: string, { resume }: SweepFlags): Promise<SweepProgress | undefined> {
  if (!existsSync(path)) {
    if (resume) printNote(`there is no ${path} to resume: starting from the beginning`)
    return undefined
  }
  if (!resume) {
    printNote(`${path} of an earlier run will be overwritten; --resume would continue it`)
    return undefined
  }
  try {
    const progress: SweepProgress = JSON.parse(await readFile(path, 'utf8'))
    printNote(
      `continuing after the ${formatQuantity(Object.keys(progress.batches).length, 'batch', 'batches')} of ${path}`,
    )
    return progress
  } catch (cause) {
    throw new LayerpruneError(
      `${path} is not what an interrupted sweep leaves: ${(cause as Error).message}`,
      {
        hint: 'start again without --resume',
        cause,
      },
    )
  }
}
