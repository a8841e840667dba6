import { LayerpruneError } from '../../base/errors.js'
import { readText } from '../../base/read-text.js'
import { VERSION } from '../../base/version.js'
import { findSchemaProblem } from './json-schema.js'
import { SCHEMAS } from './schemas.js'
import type { TextUses } from './text-uses.js'

/** Name of the record of texts in a folder that `heal` wrote, if there is no plan that has it. */
export const TEXTS_FILE = 'layerprune-texts.json'

/** The record of the texts that a model was made with and measured on, for a model that no plan belongs to. */
export function formatTextsFile(texts: TextUses): string {
  return `${JSON.stringify({ schema: SCHEMAS.texts, texts, layerpruneVersion: VERSION }, null, 2)}\n`
}

/** @throws LayerpruneError if the file is missing or damaged */
export async function readTextsFile(path: string): Promise<TextUses> {
  const text = await readText(path)
  if (text === undefined) throw new LayerpruneError(`${path} cannot be read: no such file`)
  try {
    const document: unknown = JSON.parse(text)
    const problem = findSchemaProblem('texts', document)
    if (problem === null) return (document as { texts: TextUses }).texts
    throw new SyntaxError(problem)
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw new LayerpruneError(`${path} does not say which texts a model was made with: ${cause.message}`, {
      hint: 'it may be damaged, or of another version of layerprune: remove it to go on without it',
      cause,
    })
  }
}
