import { Argument, Command } from 'commander'

const SHELLS = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof SHELLS)[number]

export function makeCompletionCommand(): Command {
  const command = new Command('completion')
    .description('Print a script that completes commands and flags in your shell.')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .addHelpText(
      'after',
      `
Examples:
  source <(layerprune completion bash)
  layerprune completion zsh > ~/.zfunc/_layerprune
  layerprune completion fish > ~/.config/fish/completions/layerprune.fish`,
    )
  return command.action(async (shell: Shell) => {
    const [{ formatCompletion }, { printResult }] = await Promise.all([
      import('../terminal/completion.js'),
      import('../terminal/output.js'),
    ])
    await printResult(formatCompletion(shell, describeCommands(command.parent!)))
  })
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
