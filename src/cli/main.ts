import '../engine/no-telemetry.js'
import { CommanderError } from 'commander'
import { cleanLibraryLogs } from '../base/clean-library-logs.js'
import { LayerpruneError, UsageError } from '../base/errors.js'
import { formatList } from '../base/format-numbers.js'
import { normalizeArguments } from './commands/arguments.js'
import { findMisnamed, readInvocation } from './commands/invocation.js'
import { listFlags, makeProgram } from './program.js'
import { guardOutput, printFailure, printResult, setFlags, widthOf } from './terminal/output.js'
import { wrapHelp } from './terminal/wrap-help.js'

const program = makeProgram()
guardOutput()
setFlags(listFlags(program))
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

function printHelp(text: string): void {
  void printResult(wrapHelp(text, widthOf(process.stdout)))
}

/** Fails with commander's message; the hint is its suggestion, or points to the help. */
function printUsageError(message: string): void {
  const [, problem, suggestion] = /^(?:error: )?(.*?)(?:\n\((Did you mean .*)\))?$/s.exec(message.trim())!
  if (problem!.startsWith('required option')) refuseUnknown()
  const misnamed = command === undefined ? findMisnamed(given) : undefined
  printFailure(
    new UsageError(misnamed?.problem ?? listMissing(problem!) ?? problem!, {
      hint: misnamed?.hint ?? suggestion ?? hintForUsage(),
    }),
  )
}

/** Fails if a flag is not known, which explains a missing one better: commander looks for missing ones first. */
function refuseUnknown(): void {
  const [unknown] = command?.parseOptions(normalizeArguments(args.slice(1))).unknown ?? []
  if (unknown === undefined) return
  // commander's own words and suggestion
  const { unknownOption } = command as unknown as { unknownOption: (flag: string) => never }
  unknownOption.call(command, unknown)
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
