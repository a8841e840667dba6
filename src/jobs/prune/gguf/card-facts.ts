import { cleanLine } from '../../../base/clean-text.js'
import { type GgufHeader, readArray } from '../../../files/gguf/header.js'

/** Facts of a GGUF file for the model card: licence and languages, in the Hub's terms. */
export function readCardFacts(header: GgufHeader): Record<string, unknown> {
  const license = header.metadata.get('general.license')?.value
  const languages = readArray(header, 'general.languages')?.filter(
    (language): language is string => typeof language === 'string',
  )
  return {
    ...(typeof license === 'string' && { license: cleanLine(license) }),
    ...(languages !== undefined && languages.length > 0 && { language: languages.map(cleanLine) }),
  }
}
