import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { digest } from '../../../base/digest.js'
import { formatQuantity } from '../../../base/format-numbers.js'
import { isObject } from '../../../base/is-object.js'
import { nameFlag } from '../../../base/name-option.js'
import { compareRuns, type RunRecord } from '../../../results/documents/run-record.js'
import { SCHEMAS } from '../../../results/documents/schemas.js'

/** A file that another run wrote. */
export interface OtherRun {
  path: string
  /** What it is and how it differs, for a message. */
  description: string
  isUnfinished: boolean
}

const PLAN = 'plan.json'
const SHARD = String.raw`(\.shard-\d+-of-\d+)?`
const DOCUMENT = new RegExp(`^(similarity|sweep)${SHARD}((\\.verify)?\\.partial)?\\.json$|^plan\\.json$`)
/** Drawn or written from a document beside it. */
const VIEW = /^(layer_distances\.csv|distances\.svg|slice\.yaml|sweep\.(csv|svg))$/

/** Where the run that writes a file keeps what it needs to go on. */
export function partialBeside(output: string): string {
  return `${output.replace(/\.json$/, '')}.partial.json`
}

/** Whether a folder's run owns a file of this name. */
export function isResultName(name: string): boolean {
  return DOCUMENT.test(name) || VIEW.test(name)
}

export function isShardOrPartial(name: string): boolean {
  return DOCUMENT.test(name) && /\.(shard|partial)/.test(name)
}

/** Sorts names: a result says more than the plan made of it. */
export function plansLast(a: string, b: string): number {
  return Number(a === PLAN) - Number(b === PLAN)
}

/** Names of the results in a folder; none if it does not exist. */
export async function listResults(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.filter(isResultName)
}

/**
 * The results in a folder that are not of a run.
 * @param names  of further files that the run will write
 */
export async function findOtherRuns(folder: string, run: RunRecord, names: string[] = []): Promise<OtherRun[]> {
  const results = await listResults(folder)
  const others: OtherRun[] = []
  const documents = [...new Set([...results, ...names])].filter((name) => !VIEW.test(name))
  for (const name of documents.sort(plansLast)) {
    const other = await findOtherRun(join(folder, name), run)
    if (other !== null) others.push(other)
  }
  const isAlone = !results.some((name) => DOCUMENT.test(name))
  for (const name of isAlone ? results : []) {
    others.push({
      path: join(folder, name),
      description: `${name}, without the result that it is of`,
      isUnfinished: false,
    })
  }
  return others
}

/**
 * What another run left in a file; null if the file is missing, or is of this run.
 * @param exact  whether another shard is another run
 */
export async function findOtherRun(path: string, run: RunRecord, exact = false): Promise<OtherRun | null> {
  const found = await stat(path).catch(() => undefined)
  if (!found?.isFile() || found.size === 0) return null
  const document = parseObject(await readFile(path, 'utf8'))
  if (document.run === digest(run)) return null
  const isUnfinished = document.partial === true || path.endsWith('.partial.json')
  // one that is damaged, or does not say whose it is, is judged by its reader
  if (isUnfinished && !isObject(document.run)) return null
  const saved = isObject(document.run) ? (document.run as unknown as RunRecord) : undefined
  const difference = saved && compareRuns(saved, run)
  const sameShard = !exact || JSON.stringify(saved?.shard) === JSON.stringify(run.shard)
  if (difference === null && sameShard) return null
  const written = `${found.mtime.toISOString().slice(0, 16).replace('T', ' ')} UTC`
  const facts = [...describeDocument(document, saved), `written ${written}`, ...(isUnfinished ? ['unfinished'] : [])]
  const apart = difference && difference !== 'command' ? `; ${describeDifference(difference)}` : ''
  return { path, description: `${facts.join(', ')}${apart}`, isUnfinished }
}

/** A document, or the first line of JSON Lines; empty if it is neither. */
function parseObject(text: string): Record<string, unknown> {
  for (const part of [text, text.slice(0, text.indexOf('\n'))]) {
    try {
      const document: unknown = JSON.parse(part)
      return isObject(document) ? document : {}
    } catch {
      // not one value
    }
  }
  return {}
}

/** The command, the model, how many texts, and whether perplexity checked it: as far as the document says. */
function describeDocument(document: Record<string, unknown>, run: RunRecord | undefined): string[] {
  const kind = run?.command ?? /^layerprune\.(\w+)\//.exec(String(document.schema))?.[1]
  const model = isObject(document.model) ? document.model.id : run?.options.model
  const { samples, texts = samples } = isObject(document.dataset) ? document.dataset : {}
  return [
    kind === undefined ? 'a file that is no result' : `a result of ${kind}`,
    ...(typeof model === 'string' ? [`model ${model}`] : []),
    ...(typeof texts === 'number' ? [formatQuantity(texts, 'text')] : []),
    ...(document.schema === SCHEMAS.similarity && document.partial !== true
      ? [document.verification === undefined ? 'not checked by perplexity' : 'checked by perplexity']
      : []),
  ]
}

function describeDifference({ name, first, second }: { name: string; first: unknown; second: unknown }): string {
  const word = (value: unknown): string =>
    Array.isArray(value) && value.every((part) => typeof part === 'string')
      ? value.join(' ')
      : typeof value === 'string'
        ? value
        : JSON.stringify(value)
  if (first === undefined) return `it had no ${nameFlag(name)}`
  if (second === undefined) return `it had ${nameFlag(name)} ${word(first)}`
  return `its ${nameFlag(name)} was ${word(first)}, not ${word(second)}`
}
