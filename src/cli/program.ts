import { Command } from 'commander'
import { VERSION } from '../base/version.js'
import { makeCheckCommand } from './commands/check.js'
import { makeCompletionCommand } from './commands/completion.js'
import { makeEvaluateCommand } from './commands/evaluate.js'
import { makeExportCommand } from './commands/export.js'
import { makeHealCommand } from './commands/heal.js'
import { makeInspectCommand } from './commands/inspect.js'
import { makeMergeCommand } from './commands/merge.js'
import { makePlanCommand } from './commands/plan.js'
import { makePlotCommand } from './commands/plot.js'
import { makePruneCommand } from './commands/prune.js'
import { makeRecipeCommand } from './commands/recipe.js'
import { makeReportCommand } from './commands/report.js'
import { makeSimilarityCommand } from './commands/similarity.js'
import { makeSliceConfigCommand } from './commands/slice-config.js'
import { makeSweepCommand } from './commands/sweep.js'

export function makeProgram(): Command {
  return new Command('layerprune')
    .description('Find the block of layers a language model can do without, and write the mergekit slices.')
    .version(VERSION)
    .addCommand(makeSimilarityCommand())
    .addCommand(makeMergeCommand())
    .addCommand(makeSliceConfigCommand())
    .addCommand(makeInspectCommand())
    .addCommand(makeSweepCommand())
    .addCommand(makePlanCommand())
    .addCommand(makeEvaluateCommand())
    .addCommand(makePruneCommand())
    .addCommand(makeHealCommand())
    .addCommand(makeExportCommand())
    .addCommand(makeRecipeCommand())
    .addCommand(makeReportCommand())
    .addCommand(makePlotCommand())
    .addCommand(makeCheckCommand())
    .addCommand(makeCompletionCommand())
    .addHelpText(
      'after',
      `
Examples:
  layerprune similarity --model ./SmolLM2-135M --dataset texts.jsonl --layers-to-skip 8
  layerprune slice-config --from layerprune-output/similarity.json -o slice.yaml
  layerprune similarity --help`,
    )
}

/** The flag of each option of the library that has one. */
export function listFlags(program: Command): Map<string, string> {
  const defined = program.commands.flatMap(({ options }) => options).filter(({ negate }) => !negate)
  return new Map([
    ...defined.map((option) => [option.attributeName(), option.long!] as const),
    ['resumeFrom', '--resume'],
  ])
}
