import { splitHashes } from '../../texts/data/text-hashes.js'
import { publicName } from './public-name.js'

/** Texts of a dataset, recorded so that they are known again wherever they lie. */
export interface TextRecord {
  /** As results name it: files or a Hub id. */
  dataset: string
  column: string
  /** Position of the first text that was read, in reading order. */
  start: number
  /** Position after the last. */
  end: number
  /** Seed of the order; omitted if it is the dataset's own. */
  shuffle?: number
  /** Of each text the first 6 bytes of its SHA-256, in base64, one after another. */
  hashes: string
}

/** Texts that a model was measured on. */
export interface MeasuredTexts extends TextRecord {
  /** Tokens read of each text. */
  maxLength: number
  /** Of the whole model and of what was made of it so far; null if it is not finite. */
  perplexity: Record<string, number | null>
  /** Of the perplexities, over texts; null if it is not known. */
  standardError: Record<string, number | null>
}

/** Which texts had which part in making a model. */
export interface TextUses {
  /** The layers were chosen on them. */
  chosen?: TextRecord[]
  /** The repair was fitted on them. */
  fitted?: TextRecord[]
  /** The model was trained on them. */
  trained?: TextRecord[]
  measured?: MeasuredTexts
}

/** Hashes of the texts that had a part in making a model: what is measured on them says little about others. */
export function listUsedTexts(...uses: (TextUses | undefined)[]): Set<string> {
  const chosen = uses.flatMap((use) => use?.chosen ?? [])
  return new Set([...listHashes(chosen), ...listFittedTexts(...uses)])
}

/** Hashes of the texts that weights were fitted or trained on. */
export function listFittedTexts(...uses: (TextUses | undefined)[]): Set<string> {
  return new Set(listHashes(uses.flatMap(({ fitted = [], trained = [] } = {}) => [...fitted, ...trained])))
}

function listHashes(records: TextRecord[]): string[] {
  return records.flatMap(({ hashes }) => splitHashes(hashes))
}

/** Says that texts which the layers were chosen on are measured on, because there are no others. */
export function describeReuse(dataset: string): string {
  return `the layers were chosen on all texts of ${dataset} that could be measured on, so the figures flatter the cut`
}

/** The uses of both; what was measured last counts. */
export function joinUses(first: TextUses = {}, second: TextUses = {}): TextUses {
  const both = (name: 'chosen' | 'fitted' | 'trained') => {
    const records = [...(first[name] ?? []), ...(second[name] ?? [])]
    return records.length === 0 ? {} : { [name]: records }
  }
  const measured = second.measured ?? first.measured
  return { ...both('chosen'), ...both('fitted'), ...both('trained'), ...(measured && { measured }) }
}

interface ReadDataset {
  id: string
  column: string
  end?: number
  hashes?: string
}

/** The record of the texts of a result; undefined if the result has none. */
export function recordTexts(
  { id, column, end, hashes }: ReadDataset,
  { datasetSkip = 0, shuffle }: { datasetSkip?: number | undefined; shuffle?: number | undefined },
): TextRecord | undefined {
  if (end === undefined || hashes === undefined) return undefined
  return { dataset: id, column, start: datasetSkip, end, ...(shuffle !== undefined && { shuffle }), hashes }
}

/** Uses of texts that layers were chosen on; undefined if none is recorded. */
export function chosenOn(...records: (TextRecord | undefined)[]): TextUses | undefined {
  const chosen = records.filter((record) => record !== undefined)
  return chosen.length === 0 ? undefined : { chosen }
}

/** The same, with datasets named as they may be published. */
export function publicUses({ chosen, fitted, trained, measured }: TextUses): TextUses {
  const name = <Record extends TextRecord>(record: Record) => ({ ...record, dataset: publicName(record.dataset) })
  return {
    ...(chosen && { chosen: chosen.map(name) }),
    ...(fitted && { fitted: fitted.map(name) }),
    ...(trained && { trained: trained.map(name) }),
    ...(measured && { measured: name(measured) }),
  }
}
