import { readFile } from 'node:fs/promises'
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js'

/** JSON documents of ours, each described by `schemas/NAME.json`. */
export type SchemaName = 'similarity' | 'evaluation' | 'plan' | 'prune' | 'inspect' | 'recipe'

/**
 * What keeps a JSON value from being what its schema says: the first problem in words, with the place as a JSON
 * pointer; null if there is none.
 */
export async function findSchemaProblem(name: SchemaName, value: unknown): Promise<string | null> {
  const ajv = new Ajv2020({ strictTypes: false })
  // a result of prune holds a plan
  for (const used of new Set<SchemaName>(['plan', name])) ajv.addSchema(await readSchema(used))
  const validate = ajv.getSchema(`urn:layerprune:${name}:1`)!
  return validate(value) ? null : describeProblem(validate.errors![0]!)
}

async function readSchema(name: SchemaName): Promise<object> {
  return JSON.parse(await readFile(new URL(`../../schemas/${name}.json`, import.meta.url), 'utf8'))
}

function describeProblem({ instancePath, message }: ErrorObject): string {
  return `${instancePath === '' ? 'the document' : instancePath} ${message}`
}
