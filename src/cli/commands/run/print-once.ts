/** Prints each note once, although the steps of a command open the same model. */
export function printOnce(print: (note: string) => void): (note: string) => void {
  const printed = new Set<string>()
  return (note) => {
    if (!printed.has(note)) print(note)
    printed.add(note)
  }
}
