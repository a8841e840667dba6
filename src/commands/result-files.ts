import type { SimilarityResult } from '../similarity/result.js'

/**
 * Writes a result to a folder: of a whole run its JSON, CSV, chart and slices, of a shard its JSON alone.
 * @returns the names of the files
 * @throws LayerpruneError where they cannot be written
 */
export async function writeResultFiles(folder: string, result: SimilarityResult): Promise<string[]> {
  const [{ writeFilesAtomically }, { formatDistancesCsv }, { drawDistanceCurve }, { formatSliceConfig }] =
    await Promise.all([
      import('../write-files.js'),
      import('../report/csv.js'),
      import('../report/curve-svg.js'),
      import('../mergekit.js'),
    ])
  const json = `${JSON.stringify(result, null, 2)}\n`
  const files: Record<string, string> = result.shard
    ? { [`${nameResult(result)}.json`]: json }
    : {
        'similarity.json': json,
        'layer_distances.csv': formatDistancesCsv(result.blocks),
        'distances.svg': drawDistanceCurve(result),
        'slice.yaml': formatSliceConfig({
          model: result.model.id,
          layers: result.model.layers,
          removed: [result.best],
          dtype: result.model.checkpointDtype,
        }),
      }
  await writeFilesAtomically(folder, files)
  return Object.keys(files)
}

/** Name of a result's JSON file without its ending: shards of a dataset can share a folder. */
export function nameResult({ shard }: Pick<SimilarityResult, 'shard'>): string {
  return shard === undefined ? 'similarity' : `similarity.shard-${shard.index}-of-${shard.count}`
}
