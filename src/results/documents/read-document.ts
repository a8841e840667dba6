import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'
import { nameFlag } from '../../base/name-option.js'
import { readText } from '../../base/read-text.js'
import { isDescriptor } from '../../base/regular-file.js'
import type { EvaluationResult } from './evaluation-result.js'
import { findSchemaProblem } from './json-schema.js'
import { PLAN_FILE, type Plan } from './plan.js'
import type { PruneResult } from './prune-result.js'
import { SCHEMAS } from './schemas.js'
import type { SweepResult } from './sweep-result.js'
import type { TaskResult } from './task-result.js'
import type { ReportedResult } from './verification.js'

/** The documents that one command writes and another reads. */
export interface Documents {
  similarity: ReportedResult
  evaluation: EvaluationResult
  plan: Plan
  sweep: SweepResult
  tasks: TaskResult
  prune: PruneResult
}

type DocumentKind = keyof Documents

type SavedDocument<Kind extends DocumentKind> = { [K in Kind]: { kind: K; document: Documents[K] } }[Kind]

const KINDS: DocumentKind[] = ['similarity', 'evaluation', 'plan', 'sweep', 'tasks', 'prune']

const WORDS: Record<DocumentKind | 'any', { name: string; hint: string }> = {
  similarity: {
    name: 'a similarity result',
    hint: 'give the similarity.json that layerprune similarity wrote',
  },
  evaluation: { name: 'an evaluation', hint: `give what layerprune evaluate ${nameFlag('json')} printed` },
  plan: { name: 'a plan', hint: 'give the plan.json that layerprune wrote' },
  sweep: { name: 'a sweep', hint: 'give the sweep.json that layerprune sweep wrote' },
  tasks: {
    name: 'a result of tasks',
    hint: `give what layerprune evaluate ${nameFlag('task')} ${nameFlag('json')} printed`,
  },
  prune: { name: 'a pruned model', hint: `give what layerprune prune ${nameFlag('json')} printed` },
  any: {
    name: 'a saved result',
    hint: `give what similarity, sweep, evaluate, plan or prune wrote or printed with ${nameFlag('json')}`,
  },
}

/** Names of results, for a hint. */
const RESULT_FILES = ['similarity.json', 'sweep.json', 'evaluation.json', 'plan.json']

/** The file itself, or the plan in a folder that `prune` or `heal` wrote. */
async function locateDocument(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined)
  if (!found?.isDirectory()) return path
  const names = await readdir(path)
  if (names.includes(PLAN_FILE)) return join(path, PLAN_FILE)
  const result = RESULT_FILES.find((name) => names.includes(name))
  throw new LayerpruneError(`${path} is a folder without ${PLAN_FILE}: expected a file, or a folder that prune wrote`, {
    hint: result === undefined ? WORDS.any.hint : `give ${join(path, result)}`,
  })
}

/**
 * Reads a layerprune document and checks it against its JSON schema.
 * @param path  the file, or a folder that `prune` wrote, whose plan is read
 * @param expected  any kind if omitted
 * @throws LayerpruneError if the file cannot be read, is of another kind or does not fit its schema
 */
export async function readDocument<Kind extends DocumentKind = DocumentKind>(
  path: string,
  expected?: Kind,
): Promise<SavedDocument<Kind>> {
  const file = await locateDocument(path)
  const text = await (isDescriptor(file) ? readFile(file, 'utf8') : readText(file))
  if (text === undefined) throw new LayerpruneError(`${path} cannot be read: no such file`)
  const { name, hint } = WORDS[expected ?? 'any']
  const fail = (found: string) => new LayerpruneError(`${path} is not ${name}: ${found}`, { hint })
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (cause) {
    // a parser's words help only with what is meant to be JSON
    throw fail(/^\s*\{/.test(text) ? `not valid JSON: ${(cause as Error).message}` : 'it is not JSON')
  }
  if (!isObject(document)) throw fail('expected a JSON object')
  const kind = KINDS.find((name) => SCHEMAS[name] === document.schema)
  if (kind === undefined || kind !== (expected ?? kind)) {
    const found = `schema is ${JSON.stringify(document.schema) ?? 'missing'}${kind ? ` (${WORDS[kind].name})` : ''}`
    throw fail(`${found}, expected ${expected ? `"${SCHEMAS[expected]}"` : 'one of layerprune'}`)
  }
  const problem = findSchemaProblem(kind, document)
  if (problem === null) return { kind, document } as unknown as SavedDocument<Kind>
  throw new LayerpruneError(`${path} is not ${WORDS[kind].name}: ${problem}`, {
    hint: 'it may be damaged, or of another version of layerprune: make it again',
  })
}
