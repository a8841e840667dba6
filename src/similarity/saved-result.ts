import { readFile } from 'node:fs/promises'
import { LayerpruneError } from '../errors.js'
import type { SimilarityResult } from './result.js'

const SCHEMA = 'layerprune.similarity/1'

/** What later commands need of a saved result; its other keys are not looked at. */
export type SavedResult = Pick<SimilarityResult, 'model' | 'layersToSkip' | 'distances' | 'partial' | 'shard'>

/**
 * Reads `similarity.json` and checks what later commands rely on.
 * @throws LayerpruneError where the file is missing, no such result, or incomplete
 */
export async function readSimilarityResult(path: string): Promise<SavedResult> {
  const fail = (found: string): never => {
    throw new LayerpruneError(`${path} is not a saved similarity result: ${found}`, {
      hint: 'give the similarity.json that layerprune similarity wrote',
    })
  }
  const text = await readFile(path, 'utf8').catch((cause: Error) => {
    throw new LayerpruneError(`${path} cannot be read: ${cause.message}`, { cause })
  })
  let value: SavedResult & { schema?: unknown }
  try {
    value = JSON.parse(text)
  } catch (cause) {
    return fail(`not valid JSON: ${(cause as Error).message}`)
  }
  if (typeof value !== 'object' || value === null) return fail('expected a JSON object')
  if (value.schema !== SCHEMA)
    fail(`schema is ${JSON.stringify(value.schema) ?? 'missing'}, expected "${SCHEMA}"`)
  const layers = value.model?.layers
  if (typeof value.model?.id !== 'string' || !Number.isSafeInteger(layers) || layers < 2) {
    fail('model.id and model.layers are expected')
  }
  if (!Number.isSafeInteger(value.layersToSkip)) fail('layersToSkip must be a whole number')
  for (let n = 1; n <= layers; n++) {
    const row: unknown = value.distances?.[n]
    if (!Array.isArray(row) || row.length !== layers - n + 1)
      fail(`distances["${n}"] must have ${layers - n + 1} entries`)
    const wrong = (row as unknown[]).find(
      (distance) => !(typeof distance === 'number' && distance >= 0 && distance <= 1),
    )
    if (wrong !== undefined)
      fail(`distances["${n}"] has ${JSON.stringify(wrong)}, expected numbers from 0 to 1`)
  }
  return value
}

/**
 * Reads a result that holds all of its run's progress, to resume it or to merge it with others.
 * @throws LayerpruneError where the file is missing, no such result, or of a version that kept less
 */
export async function readContinuableResult(path: string): Promise<SimilarityResult> {
  const result = (await readSimilarityResult(path)) as Partial<SimilarityResult> & SavedResult
  const { dataset, settings, layerpruneVersion } = result
  const texts = [result.model.fingerprint, dataset?.fingerprint, layerpruneVersion, result.tokens]
  if (texts.some((text) => typeof text !== 'string') || typeof settings !== 'object') {
    throw new LayerpruneError(`${path} does not say what it was measured on, so nothing can be added to it`, {
      hint: 'it may be of an older version of layerprune: measure again',
    })
  }
  return result as SimilarityResult
}
