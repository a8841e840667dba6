import { type GgufHeader, readArray } from '../../../files/gguf/header.js'

/** What a GGUF file says of its model that a card says too: licence and languages, in the Hub's words. */
export function readCardFacts(header: GgufHeader): Record<string, unknown> {
  const license = header.metadata.get('general.license')?.value
  const languages = readArray(header, 'general.languages')?.filter((language) => typeof language === 'string')
  return {
    ...(typeof license === 'string' && { license }),
    ...(languages !== undefined && languages.length > 0 && { language: languages }),
  }
}
