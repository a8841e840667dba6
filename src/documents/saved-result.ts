import { LayerpruneError } from '../errors.js'
import { describeMetric, isMetric, METRICS, type Metric } from './metrics.js'
import { assertSchema, notDocument, readDocument, type SavedDocument } from './saved-document.js'
import type { SimilarityResult } from './similarity-result.js'

/** What later commands need of a saved result; its other keys are not looked at. */
export type SavedResult = Pick<
  SimilarityResult,
  'model' | 'metric' | 'layersToSkip' | 'distances' | 'partial' | 'shard'
> & { verification?: unknown }

/**
 * Reads `similarity.json` and checks what later commands rely on.
 * @throws LayerpruneError if the file is missing, no such result, or incomplete
 */
export async function readSimilarityResult(path: string): Promise<SavedResult> {
  const { document } = await readDocument(path, 'similarity')
  return checkSimilarityResult(path, document)
}

/** As `readSimilarityResult`, of a document that is read already. */
export function checkSimilarityResult(path: string, document: SavedDocument): SavedResult {
  const fail = (found: string): never => {
    throw notDocument(path, 'similarity', found)
  }
  const value = document as unknown as SavedResult
  const { layers } = value.model
  const { layersToSkip: size } = value
  if (!Number.isInteger(size) || size < 1 || size >= layers) {
    fail(
      `layersToSkip must be at least 1 and below the ${layers} layers of the model, found ${JSON.stringify(size) ?? 'none'}`,
    )
  }
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
 * @throws LayerpruneError if the file is missing, no such result, or of a version that kept less
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
  await assertSchema(path, 'similarity', result)
  return result as SimilarityResult
}
