import { readFileSync } from 'node:fs'
import { packageFile } from './package-file.js'

const tables = new Map<string, unknown>()

/** A table of facts about another program: the file of that name in `assets`, read once. */
export function readTable<T>(name: string): T {
  if (!tables.has(name)) {
    tables.set(name, JSON.parse(readFileSync(packageFile(`assets/${name}.json`), 'utf8')))
  }
  return tables.get(name) as T
}
