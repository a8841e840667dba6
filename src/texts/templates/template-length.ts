import { LayerpruneError } from '../../base/errors.js'
import { formatCount } from '../../base/format-numbers.js'

/** Characters of a template; those of published models have tens of thousands at most. */
const MOST_CHARACTERS = 1 << 20

/** @throws LayerpruneError if a template is longer than any that is meant well */
export function assertTemplateLength(template: string, what: string): void {
  if (template.length <= MOST_CHARACTERS) return
  throw new LayerpruneError(
    `${what}: expected at most ${formatCount(MOST_CHARACTERS)} characters, found ${formatCount(template.length)}`,
  )
}
