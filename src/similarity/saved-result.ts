import { readFile } from 'node:fs/promises'
import { LayerpruneError } from '../errors.js'
import { describeMetric, isMetric, METRICS, type Metric } from './metrics.js'
import type { SimilarityResult } from './result.js'

const SCHEMA = 'layerprune.similarity/1'

/** What later commands need of a saved result; its other keys are not looked at. */
export type SavedResult = Pick<
  SimilarityResult,
  'model' | 'metric' | 'layersToSkip' | 'distances' | 'partial' | 'shard'
>

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
  const { limit } = describeMetric(readMetric(value, fail))
  for (let n = 1; n <= layers; n++) {
    const row: unknown = value.distances?.[n]
    if (!Array.isArray(row) || row.length !== layers - n + 1)
      fail(`distances["${n}"] must have ${layers - n + 1} entries`)
    const wrong = (row as unknown[]).find(
      (distance) => !(typeof distance === 'number' && distance >= 0 && distance <= limit),
    )
    if (wrong !== undefined)
      fail(
        `distances["${n}"] has ${JSON.stringify(wrong)}, expected numbers ${limit === Infinity ? 'of at least 0' : `from 0 to ${limit}`}`,
      )
  }
  return value
}

/** The metric that decided; that the others are known ones too is checked along. */
function readMetric(
  { metric, metrics }: { metric: unknown; metrics?: object | null },
  fail: (found: string) => never,
): Metric {
  const unknown = [metric, ...Object.keys(metrics ?? {})].find((name) => !isMetric(name))
  if (unknown !== undefined || !isMetric(metric)) {
    return fail(`metric ${JSON.stringify(unknown) ?? 'is missing'}: expected one of ${METRICS.join(', ')}`)
  }
  return metric
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
