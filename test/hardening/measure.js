import { measureSimilarity } from '../../dist/jobs/similarity/measure.js'
import { TEXTS } from './sound-files.js'

/** The distances of a model's blocks over three short texts. */
export async function measure(folder, options = {}) {
  const result = await measureSimilarity({
    model: folder,
    dataset: TEXTS,
    datasetSize: 3,
    layersToSkip: 1,
    threads: 1,
    ...options,
  })
  if (!Number.isFinite(result.best.distance)) throw new TypeError(`a distance of ${result.best.distance}`)
  return result.distances
}
