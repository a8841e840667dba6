import { readFile } from 'node:fs/promises'
import { LayerpruneError } from '../errors.js'
import { isObject } from '../is-object.js'

/** The documents that one command writes and another reads, by their `schema`. */
const KINDS = {
  similarity: {
    schema: 'layerprune.similarity/1',
    name: 'a similarity result',
    hint: 'give the similarity.json that layerprune similarity wrote',
  },
  evaluation: {
    schema: 'layerprune.evaluation/1',
    name: 'an evaluation',
    hint: 'give what layerprune evaluate --json printed',
  },
  plan: { schema: 'layerprune.plan/1', name: 'a plan', hint: 'give the plan.json that layerprune wrote' },
} as const

const ANY = {
  name: 'a saved result',
  hint: 'give what similarity, evaluate or plan wrote or printed with --json',
}

export type DocumentKind = keyof typeof KINDS

/** A saved document of which schema and model were checked, and nothing else. */
export interface SavedDocument extends Record<string, unknown> {
  model: Record<string, unknown> & { id: string; layers: number }
}

/** Far more than any model has: what is listed or drawn by layer stays small whatever a file says. */
const MAX_LAYERS = 4096

/**
 * Reads a document of ours, and checks what it is and which model it is about.
 * @param expected  any kind if omitted
 * @throws LayerpruneError if the file cannot be read, is of another kind, or names no possible model
 */
export async function readDocument(
  path: string,
  expected?: DocumentKind,
): Promise<{ kind: DocumentKind; document: SavedDocument }> {
  const text = await readFile(path, 'utf8').catch((cause: Error) => {
    throw new LayerpruneError(`${path} cannot be read: ${cause.message}`, { cause })
  })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw notDocument(path, expected, `not valid JSON: ${(cause as Error).message}`)
  }
  if (!isObject(value)) throw notDocument(path, expected, 'expected a JSON object')
  const { schema, model } = value
  const kind = (Object.keys(KINDS) as DocumentKind[]).find((name) => KINDS[name].schema === schema)
  if (kind === undefined || kind !== (expected ?? kind)) {
    const found = `schema is ${JSON.stringify(schema) ?? 'missing'}${kind ? ` (${KINDS[kind].name})` : ''}`
    const wanted = expected ? `"${KINDS[expected].schema}"` : 'one of layerprune'
    throw notDocument(path, expected, `${found}, expected ${wanted}`)
  }
  if (!isObject(model) || typeof model.id !== 'string') throw notDocument(path, kind, 'model.id is missing')
  if (!isLayerCount(model.layers)) {
    const found = JSON.stringify(model.layers) ?? 'none'
    throw notDocument(path, kind, `model.layers must be 1 to ${MAX_LAYERS}, found ${found}`)
  }
  return { kind, document: value as SavedDocument }
}

/** What is wrong with a document, and what to give instead. */
export function notDocument(path: string, kind: DocumentKind | undefined, found: string): LayerpruneError {
  const { name, hint } = kind === undefined ? ANY : KINDS[kind]
  return new LayerpruneError(`${path} is not ${name}: ${found}`, { hint })
}

/** @throws LayerpruneError unless a document is all that its schema says */
export async function assertSchema(path: string, kind: DocumentKind, document: unknown): Promise<void> {
  const { findSchemaProblem } = await import('./json-schema.js')
  const problem = await findSchemaProblem(kind, document)
  if (problem === null) return
  throw new LayerpruneError(`${path} is not ${KINDS[kind].name}: ${problem}`, {
    hint: 'it may be of another version of layerprune: measure again',
  })
}

function isLayerCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_LAYERS
}
