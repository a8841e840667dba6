/**
 * An option, and its value if given, as messages name it: by its name in the library, in backticks. The terminal turns
 * it into its flag.
 */
export function nameOption(name: string, value?: string | number): string {
  return value === undefined ? `\`${name}\`` : `\`${name}: ${value}\``
}

/** The flag of an option, its name with hyphens: for the words of a command. */
export function nameFlag(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}
