import { readMergekitProblem } from '../../../jobs/library/mergekit-problem.js'
import { planVerifiedBlock } from '../../../results/documents/recommended-plan.js'
import { recommendBlock } from '../../../results/documents/result-views.js'
import type { SimilarityResult } from '../../../results/documents/similarity-result.js'
import type { Verification } from '../../../results/documents/verification.js'
import { formatSliceConfig } from '../../../results/mergekit.js'
import { formatDistancesCsv } from '../../../results/report/csv.js'
import type { ClaimedFolder } from './claim-output.js'

export type VerifiedResult = SimilarityResult & { verification?: Verification }

/**
 * Writes a result to a folder: of a whole run its JSON, CSV, chart and slices, of a shard, or without a size, its JSON alone. Of a
 * verified run the slices are those of the block that perplexity recommends, and a plan names it too.
 * @returns the names of the files
 * @throws LayerpruneError if they cannot be written
 */
export async function writeResultFiles(folder: ClaimedFolder, result: VerifiedResult): Promise<string[]> {
  const { drawDistanceCurve } = await import('../../../results/report/curve-svg.js')
  const json = `${JSON.stringify(result, null, 2)}\n`
  const files: Record<string, string> =
    result.shard || result.bestBlocks
      ? { [`${nameResult(result)}.json`]: json }
      : {
          'similarity.json': json,
          'layer_distances.csv': formatDistancesCsv(result.blocks),
          'distances.svg': drawDistanceCurve(result),
          'slice.yaml': await formatSlices(result),
        }
  if (result.verification) {
    const plan = { ...planVerifiedBlock(result, result.verification), run: result.run }
    files['plan.json'] = `${JSON.stringify(plan, null, 2)}\n`
  }
  return folder.write(files)
}

async function formatSlices(result: VerifiedResult): Promise<string> {
  const { id: model, file, layers, family, checkpointDtype: dtype } = result.model
  const removed = [recommendBlock(result, result.layersToSkip)]
  const problem = await readMergekitProblem({ model, file, family, layers, removed })
  return formatSliceConfig({ model, revision: pinnedRevision(result.model), layers, removed, dtype, problem })
}

/** The commit for a slice config, if a revision was asked for: otherwise the name alone identifies the model. */
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
