import { readFile } from 'node:fs/promises'
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js'
import type { SchemaName } from './schemas.js'

/**
 * What keeps a JSON value from being what its schema says: the first problem in words, with its place as a JSON
 * pointer and the value there; null if there is none.
 */
export async function findSchemaProblem(name: SchemaName, value: unknown): Promise<string | null> {
  const ajv = new Ajv2020({ strictTypes: false, verbose: true })
  // a result of prune holds a plan, and what training gave
  for (const used of new Set<SchemaName>(['plan', 'heal', name])) ajv.addSchema(await readSchema(used))
  const validate = ajv.getSchema(`urn:layerprune:${name}:1`)!
  return validate(value) ? null : describeProblem(validate.errors![0]!)
}

async function readSchema(name: SchemaName): Promise<object> {
  return JSON.parse(await readFile(new URL(`../../schemas/${name}.json`, import.meta.url), 'utf8'))
}

function describeProblem({ instancePath, message, params, data }: ErrorObject): string {
  const place = instancePath === '' ? 'the document' : instancePath
  const expected = params.allowedValues ? `must be one of ${params.allowedValues.join(', ')}` : message
  const isShort = data === null || ['number', 'boolean', 'string'].includes(typeof data)
  return `${place} ${expected}${isShort ? `, found ${JSON.stringify(data)}` : ''}`
}
