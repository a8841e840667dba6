import '../engine/no-telemetry.js'
import { Command, CommanderError } from 'commander'
import { cleanLibraryLogs } from '../base/clean-library-logs.js'
import { LayerpruneError, UsageError } from '../base/errors.js'
import { formatList } from '../base/format-numbers.js'
import { VERSION } from '../base/version.js'
import { normalizeArguments } from './commands/arguments.js'
import { makeCheckCommand } from './commands/check.js'
import { makeCompletionCommand } from './commands/completion.js'
import { makeEvaluateCommand } from './commands/evaluate.js'
import { makeHealCommand } from './commands/heal.js'
import { makeInspectCommand } from './commands/inspect.js'
import { findMisnamed, readInvocation } from './commands/invocation.js'
import { makeMergeCommand } from './commands/merge.js'
import { makePlanCommand } from './commands/plan.js'
import { makePlotCommand } from './commands/plot.js'
import { makePruneCommand } from './commands/prune.js'
import { makeRecipeCommand } from './commands/recipe.js'
import { makeReportCommand } from './commands/report.js'
import { makeSimilarityCommand } from './commands/similarity.js'
import { makeSliceConfigCommand } from './commands/slice-config.js'
import { makeSweepCommand } from './commands/sweep.js'
import { guardOutput, printFailure, printResult, setFlags, widthOf } from './terminal/output.js'
import { wrapHelp } from './terminal/wrap-help.js'

const program = new Command('layerprune')
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

guardOutput()
setFlags(listFlags())
cleanLibraryLogs()
for (const command of [program, ...program.commands]) {
  command.exitOverride().configureOutput({ outputError: printUsageError, writeOut: printHelp })
}

const given = process.argv.slice(2)
const args = readInvocation(
  given,
  program.commands.map((known) => known.name()),
)
const command = program.commands.find((known) => known.name() === args[0])
try {
  await program.parseAsync(command ? normalizeArguments(args) : args, { from: 'user' })
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2
  } else {
    printFailure(error)
    process.exitCode = error instanceof LayerpruneError ? error.exitCode : 1
  }
}

/** The flag of each option of the library that has one. */
function listFlags(): Map<string, string> {
  const defined = program.commands.flatMap(({ options }) => options).filter(({ negate }) => !negate)
  return new Map([
    ...defined.map((option) => [option.attributeName(), option.long!] as const),
    ['resumeFrom', '--resume'],
  ])
}

/** Help, or the version. */
function printHelp(text: string): void {
  void printResult(wrapHelp(text, widthOf(process.stdout)))
}

/** Fails with commander's own message, and its suggestion or a pointer to the help as the hint. */
function printUsageError(message: string): void {
  const [, problem, suggestion] = /^(?:error: )?(.*?)(?:\n\((Did you mean .*)\))?$/s.exec(message.trim())!
  const misnamed = command === undefined ? findMisnamed(given) : undefined
  printFailure(
    new UsageError(misnamed?.problem ?? listMissing(problem!) ?? problem!, {
      hint: misnamed?.hint ?? suggestion ?? hintForUsage(),
    }),
  )
}

/** All required flags that are missing; commander names only the first. */
function listMissing(problem: string): string | undefined {
  if (command === undefined || !problem.startsWith('required option')) return undefined
  const missing = command.options.filter(
    (option) => option.mandatory && command.getOptionValue(option.attributeName()) === undefined,
  )
  return `${formatList(missing.map(({ long }) => long!))} ${missing.length === 1 ? 'is' : 'are'} required`
}

function hintForUsage(): string {
  return command === undefined
    ? 'layerprune --help lists all commands'
    : `layerprune ${command.name()} --help lists its flags`
}
