import { recommendBlock } from '../documents/result-views.js'
import type { SimilarityResult } from '../documents/similarity-result.js'
import type { Verification } from '../documents/verification.js'

/** A result with what its best blocks do to the perplexity, where that was asked for. */
export type VerifiedResult = SimilarityResult & { verification?: Verification }

/**
 * Writes a result to a folder: of a whole run its JSON, CSV, chart and slices, of a shard its JSON alone. Of a
 * verified run the slices are those of the block that perplexity recommends, and a plan names it too.
 * @returns the names of the files
 * @throws LayerpruneError where they cannot be written
 */
export async function writeResultFiles(folder: string, result: VerifiedResult): Promise<string[]> {
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
          revision: pinnedRevision(result.model),
          layers: result.model.layers,
          removed: [recommendBlock(result, result.layersToSkip)],
          dtype: result.model.checkpointDtype,
        }),
      }
  if (result.verification) {
    const { planVerifiedBlock } = await import('../strategies/verify-blocks.js')
    const plan = planVerifiedBlock(result, result.verification)
    files['plan.json'] = `${JSON.stringify(plan, null, 2)}\n`
  }
  await writeFilesAtomically(folder, files)
  return Object.keys(files)
}

/** The commit for a slice config, where a revision was asked for: elsewhere the name alone says what is meant. */
export function pinnedRevision({
  revision,
  askedRevision,
}: Pick<SimilarityResult['model'], 'revision' | 'askedRevision'>): string | undefined {
  return askedRevision && revision ? revision : undefined
}

/** Name of a result's JSON file without its ending: shards of a dataset can share a folder. */
export function nameResult({ shard }: Pick<SimilarityResult, 'shard'>): string {
  return shard === undefined ? 'similarity' : `similarity.shard-${shard.index}-of-${shard.count}`
}
