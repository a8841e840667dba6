import { LayerpruneError } from '../../base/errors.js'
import { capitalize, strip } from './python-text.js'

type Fields = Record<string, unknown>

/** Adds `query` and `choices` to a HellaSwag document as lm-evaluation-harness does; throws if a field is missing. */
export function prepareHellaswag(fields: Fields, where: string): Fields {
  const text = (key: string) => {
    const value = fields[key]
    if (typeof value === 'string') return value
    throw new LayerpruneError(`hellaswag: ${key} must be a string: ${where}`)
  }
  const { endings } = fields
  if (!Array.isArray(endings) || endings.some((ending) => typeof ending !== 'string')) {
    throw new LayerpruneError(`hellaswag: endings must be a list of strings: ${where}`)
  }
  const context = `${text('activity_label')}: ${text('ctx_a')} ${capitalize(text('ctx_b'))}`
  return { ...fields, query: clean(context), choices: endings.map(clean) }
}

function clean(text: string): string {
  return strip(text)
    .replaceAll(' [title]', '. ')
    .replaceAll(/\[[^\n]*?\]/g, '')
    .replaceAll('  ', ' ')
}
