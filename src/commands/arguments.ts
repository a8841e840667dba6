import { InvalidArgumentError } from 'commander'

/** PruneMe's spellings of our flags that differ by more than underscores. */
const ALIASES: Record<string, string> = { '--model-path': '--model' }

/** Takes PruneMe's flags as they are: `--model_path X`, `--batch_size=8`. Values are left alone. */
export function normalizeArguments(args: string[]): string[] {
  return args.map((argument) => {
    if (!/^--[a-z]/.test(argument)) return argument
    const [flag, ...value] = argument.split('=')
    const normalized = flag!.replaceAll('_', '-')
    return [ALIASES[normalized] ?? normalized, ...value].join('=')
  })
}

/** Parses a whole number of at least `minimum`. */
export function wholeNumber(minimum: number): (value: string) => number {
  return (value) => {
    const number = Number(value)
    if (/^\d+$/.test(value) && Number.isSafeInteger(number) && number >= minimum) return number
    throw new InvalidArgumentError(`expected a whole number of at least ${minimum}`)
  }
}
