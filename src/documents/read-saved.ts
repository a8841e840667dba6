import { isDeepStrictEqual } from 'node:util'
import { LayerpruneError } from '../errors.js'
import { normalizeBlocks } from '../layers/blocks.js'
import type { EvaluationResult } from './evaluation-result.js'
import { checkPlan, type Plan } from './plan.js'
import { assertSchema, readDocument, type SavedDocument } from './saved-document.js'
import { checkSimilarityResult } from './saved-result.js'
import type { SimilarityResult } from './similarity-result.js'
import type { Verification, VerifiedBlock } from './verification.js'

export type ReportedResult = SimilarityResult & { verification?: Verification }

/** What a page is made from. */
export interface SavedDocuments {
  results: ReportedResult[]
  evaluations: EvaluationResult[]
  plans: Plan[]
}

/**
 * Reads saved results, evaluations and plans, each identified by its `schema`, in the order given.
 * @throws LayerpruneError if a file is missing, none of these, or damaged
 */
export async function readSavedDocuments(paths: string[]): Promise<SavedDocuments> {
  const documents: SavedDocuments = { results: [], evaluations: [], plans: [] }
  for (const path of paths) {
    const { kind, document } = await readDocument(path)
    if (kind === 'similarity') documents.results.push(await checkReportedResult(path, document))
    else if (kind === 'evaluation') documents.evaluations.push(await checkEvaluation(path, document))
    else documents.plans.push(checkPlan(path, document))
  }
  return documents
}

/**
 * Reads a whole `similarity.json`, with all that a person wants to see of it.
 * @throws LayerpruneError if it is missing, no such result, or damaged
 */
export async function readReportedResult(path: string): Promise<ReportedResult> {
  return checkReportedResult(path, (await readDocument(path, 'similarity')).document)
}

async function checkReportedResult(path: string, document: SavedDocument): Promise<ReportedResult> {
  const result = checkSimilarityResult(path, document) as ReportedResult
  await assertSchema(path, 'similarity', result)
  const { model, layersToSkip, blocks, distances, metrics = {} } = result
  const row = distances[layersToSkip] ?? []
  const fail = (found: string): never => {
    throw new LayerpruneError(`${path} contradicts itself: ${found}`)
  }
  for (const [metric, of] of [[result.metric, result] as const, ...Object.entries(metrics)]) {
    const within = of === result ? '' : `metrics.${metric}.`
    for (let n = 1; n <= model.layers; n++) {
      for (const key of ['distances', 'standardErrors'] as const) {
        const entries = model.layers - n + 1
        if (of[key][n]?.length !== entries) fail(`${within}${key}["${n}"] must have ${entries} entries`)
      }
    }
    const { best } = of
    if (
      of.distances[layersToSkip]?.[best.start] !== best.distance ||
      best.end !== best.start + layersToSkip
    ) {
      fail(`${within}best is none of the blocks`)
    }
  }
  if (
    blocks.length !== row.length ||
    blocks.some(({ start, distance }, i) => start !== i || distance !== row[i])
  ) {
    fail(`blocks are not those of distances["${layersToSkip}"]`)
  }
  if (result.verification !== undefined && !isVerified(result.verification, row, layersToSkip)) {
    fail('verification.recommended is none of the blocks that were checked')
  }
  return result
}

function isVerified({ blocks, recommended }: Verification, row: number[], size: number): boolean {
  const isBlock = ({ start, end, distance }: VerifiedBlock) => end - start === size && row[start] === distance
  return blocks.every(isBlock) && blocks.some((block) => isDeepStrictEqual(block, recommended))
}

/**
 * Reads what `evaluate --json` printed.
 * @throws LayerpruneError if it is missing, no such result, or damaged
 */
export async function readEvaluation(path: string): Promise<EvaluationResult> {
  return checkEvaluation(path, (await readDocument(path, 'evaluation')).document)
}

async function checkEvaluation(path: string, document: SavedDocument): Promise<EvaluationResult> {
  const result = document as unknown as EvaluationResult
  await assertSchema(path, 'evaluation', result)
  for (const { removed } of result.candidates) {
    try {
      normalizeBlocks(removed, result.model.layers)
    } catch (cause) {
      throw new LayerpruneError(`${path} contradicts itself: ${(cause as Error).message}`, { cause })
    }
  }
  return result
}
