import { join } from 'node:path'
import { LayerpruneError } from '../../../base/errors.js'
import { formatCount, formatDuration } from '../../../base/format-numbers.js'
import { quoteForShell } from '../../../base/quote-for-shell.js'
import { readText } from '../../../base/read-text.js'
import { writeFilesAtomically } from '../../../base/write-files.js'
import { estimateHealing, type HealingEstimate } from '../../../jobs/heal/estimate-healing.js'
import { RECIPE_LIST } from '../../../jobs/library/option-lists.js'
import { makeRecipe, type RecipeOptions } from '../../../jobs/recipe/recipe.js'
import { formatCommand } from '../../../results/next-command.js'
import { nameFlags, printDocument, printWarning, setQuiet } from '../../terminal/output.js'
import { pick } from './pick.js'

export interface RecipeFlags extends Pick<RecipeOptions, (typeof RECIPE_LIST)['flags'][number]> {
  output: string
  force?: boolean
  json?: boolean
  quiet?: boolean
}

export async function run(flags: RecipeFlags): Promise<void> {
  setQuiet(flags.quiet ?? false)
  const { training, unreached, files } = await makeRecipe(pick(flags, RECIPE_LIST.flags))
  if (!flags.force) await assertNoOther(flags.output, files)
  const heal = withFlags(await estimateHealing({ model: flags.model }))
  await writeFilesAtomically(flags.output, files)
  if (unreached !== undefined) printWarning(unreached)
  await printDocument({ ...training, heal }, flags, ({ settings, epochs, targets, output, heal }) =>
    [
      `rank ${settings.rank}, learning rate ${settings.learningRate} (of the paper: ${settings.origin}), ${settings.steps} steps of ${settings.batchSize} x ${settings.maxLength} tokens`,
      ...(epochs === null ? [] : [describeEpochs(epochs, settings.steps)]),
      `changes ${[...targets.modules, ...targets.parameters].join(', ')}`,
      'Run one of these on a machine with a GPU:',
      `  axolotl train ${quoteForShell(join(flags.output, 'axolotl.yaml'))}`,
      `  python ${quoteForShell(join(flags.output, 'heal.py'))}`,
      ...formatEstimate(heal, settings, formatCommand('heal', { options: flags, last: ['-o', output] })),
    ].join('\n'),
  )
}

/** @throws LayerpruneError if a file is there that this recipe would change: made with other settings, or edited */
async function assertNoOther(folder: string, files: Record<string, string>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    if (((await readText(path)) ?? content) === content) continue
    throw new LayerpruneError(`${path} is of other settings, or was edited`, {
      hint: 'name another place with --output, or replace what is there with --force',
    })
  }
}

function withFlags(heal: HealingEstimate): HealingEstimate {
  return 'problem' in heal ? { problem: nameFlags(heal.problem) } : heal
}

/** Beyond this, a model memorizes its texts. */
const MANY_EPOCHS = 10
const FEW_EPOCHS = 3

/** `about 1.2 epochs of the texts`, with advice if they are too many. */
function describeEpochs(epochs: number, steps: number): string {
  const count = epochs < MANY_EPOCHS ? epochs.toPrecision(2) : formatCount(Math.round(epochs))
  const advice = `, too many: give more texts, or --steps ${Math.ceil((FEW_EPOCHS * steps) / epochs)} for ${FEW_EPOCHS}`
  return `about ${count} epochs of the texts${epochs > MANY_EPOCHS ? advice : ''}`
}

function formatEstimate(
  heal: HealingEstimate,
  settings: { steps: number; batchSize: number; maxLength: number },
  command: string,
): string[] {
  if ('problem' in heal) return [`layerprune heal cannot train it here: ${heal.problem}`]
  const { steps, batchSize, maxLength, seconds, tokensPerSecond } = heal
  const all = settings.steps * settings.batchSize * settings.maxLength
  return [
    `Or train it on this machine, ${steps} steps of ${batchSize} x ${maxLength} tokens in about ${formatDuration(seconds)} (${formatCount(Math.round(tokensPerSecond))} tokens/s; all the steps above would take ${formatDuration(all / tokensPerSecond)}):`,
    `  ${command}`,
  ]
}
