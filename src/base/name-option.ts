/** An option, and its value if given, by its library name in backticks; the terminal turns it into a flag. */
export function nameOption(name: string, value?: string | number): string {
  return value === undefined ? `\`${name}\`` : `\`${name}: ${value}\``
}

/** The flag of an option, its name with hyphens: for the words of a command. */
export function nameFlag(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}
