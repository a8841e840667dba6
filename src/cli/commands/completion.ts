import { Argument, Command } from 'commander'
import { SHELLS, type Shell } from '../terminal/completion.js'

export function makeCompletionCommand(): Command {
  const command = new Command('completion')
    .description('Print a script that completes commands and flags in your shell.')
    .addArgument(new Argument('<shell>', 'your shell').choices(SHELLS))
    .addHelpText(
      'after',
      `
Examples:
  source <(layerprune completion bash)
  layerprune completion zsh > ~/.zfunc/_layerprune
  layerprune completion fish > ~/.config/fish/completions/layerprune.fish`,
    )
  return command.action(async (shell: Shell) => (await import('./run/completion.js')).run(shell, command.parent!))
}
