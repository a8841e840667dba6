import { join } from 'node:path'
import { quoteForShell } from '../../quote-for-shell.js'
import { makeRecipe } from '../../recipe/recipe.js'
import { printDocument, printWarning } from '../../terminal/output.js'
import { writeFilesAtomically } from '../../write-files.js'
import { RECIPE_OPTIONS, type RecipeFlags } from '../recipe.js'
import { pick } from './pick.js'

export async function run(flags: RecipeFlags): Promise<void> {
  const { training, unreached, files } = await makeRecipe(pick(flags, RECIPE_OPTIONS))
  await writeFilesAtomically(flags.output, files)
  if (unreached !== undefined) printWarning(unreached)
  await printDocument(training, flags, ({ settings, targets }) =>
    [
      `rank ${settings.rank}, learning rate ${settings.learningRate} (of the paper: ${settings.origin}), ${settings.steps} steps of ${settings.batchSize} x ${settings.maxLength} tokens`,
      `changes ${[...targets.modules, ...targets.parameters].join(', ')}`,
      'Run one of these on a machine with a GPU:',
      `  axolotl train ${quoteForShell(join(flags.output, 'axolotl.yaml'))}`,
      `  python ${quoteForShell(join(flags.output, 'heal.py'))}`,
    ].join('\n'),
  )
}
