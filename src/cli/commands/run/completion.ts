import type { Command } from 'commander'
import { formatCompletion, type Shell } from '../../terminal/completion.js'
import { printResult } from '../../terminal/output.js'

export async function run(shell: Shell, program: Command): Promise<void> {
  await printResult(formatCompletion(shell, describeCommands(program)))
}

function describeCommands(program: Command) {
  const help = program.createHelp()
  return program.commands.map((command) => ({
    name: command.name(),
    summary: command.description(),
    flags: help.visibleOptions(command).map((option) => ({
      names: [option.short, option.long].filter((name) => name !== undefined && name !== null),
      summary: option.description,
      takesValue: option.required || option.optional,
      choices: option.argChoices ?? [],
    })),
    choices: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
  }))
}
