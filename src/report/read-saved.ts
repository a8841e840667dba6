import { readFile } from 'node:fs/promises'
import { LayerpruneError } from '../errors.js'
import type { EvaluationResult } from '../evaluate/result.js'
import { findSchemaProblem } from '../json-schema.js'
import { normalizeBlocks } from '../plan/blocks.js'
import { type Plan, readPlan } from '../plan/plan.js'
import type { SimilarityResult } from '../similarity/result.js'
import { readSimilarityResult } from '../similarity/saved-result.js'
import type { Verification } from '../strategies/verify-blocks.js'

export type ReportedResult = SimilarityResult & { verification?: Verification }

/** What a page is made from. */
export interface SavedDocuments {
  results: ReportedResult[]
  evaluations: EvaluationResult[]
  plans: Plan[]
}

/**
 * Reads saved results, evaluations and plans, each told by its `schema`, in the order given.
 * @throws LayerpruneError where a file is missing, none of these, or damaged
 */
export async function readSavedDocuments(paths: string[]): Promise<SavedDocuments> {
  const documents: SavedDocuments = { results: [], evaluations: [], plans: [] }
  for (const path of paths) {
    switch (await readSchemaName(path)) {
      case 'layerprune.similarity/1':
        documents.results.push(await readReportedResult(path))
        break
      case 'layerprune.evaluation/1':
        documents.evaluations.push(await readEvaluation(path))
        break
      case 'layerprune.plan/1':
        documents.plans.push(await readPlan(path))
        break
      default:
        throw new LayerpruneError(`${path} is no saved result: its schema is none that a page can show`, {
          hint: 'give what similarity, evaluate or plan wrote or printed with --json',
        })
    }
  }
  return documents
}

async function readSchemaName(path: string): Promise<unknown> {
  return (await readJson(path))?.schema
}

/**
 * Reads a whole `similarity.json`, with all that a person wants to see of it.
 * @throws LayerpruneError where it is missing, no such result, or damaged
 */
export async function readReportedResult(path: string): Promise<ReportedResult> {
  const result = (await readSimilarityResult(path)) as ReportedResult
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
  if (layersToSkip >= model.layers) fail(`layersToSkip is ${layersToSkip} of ${model.layers} layers`)
  if (
    blocks.length !== row.length ||
    blocks.some(({ start, distance }, i) => start !== i || distance !== row[i])
  ) {
    fail(`blocks are not those of distances["${layersToSkip}"]`)
  }
  return result
}

/**
 * Reads what `evaluate --json` printed.
 * @throws LayerpruneError where it is missing, no such result, or damaged
 */
export async function readEvaluation(path: string): Promise<EvaluationResult> {
  const result = (await readJson(path)) as unknown as EvaluationResult
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

async function assertSchema(path: string, name: 'similarity' | 'evaluation', value: unknown): Promise<void> {
  const problem = await findSchemaProblem(name, value)
  if (problem !== null) {
    throw new LayerpruneError(`${path} is no saved ${name} result: ${problem}`, {
      hint: 'it may be of another version of layerprune: measure again',
    })
  }
}

async function readJson(path: string): Promise<Record<string, unknown> | null> {
  const text = await readFile(path, 'utf8').catch((cause: Error) => {
    throw new LayerpruneError(`${path} cannot be read: ${cause.message}`, { cause })
  })
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new LayerpruneError(`${path} is not valid JSON: ${(cause as Error).message}`, { cause })
  }
}
