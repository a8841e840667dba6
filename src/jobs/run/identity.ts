import { nameOption } from '../../base/name-option.js'
import type { Metric } from '../../results/documents/metrics.js'
import type { SimilarityResult } from '../../results/documents/similarity-result.js'

/** Settings that must match for two runs to be merged, keyed by their name in messages. */
export type Identity = Record<string, string>

type Identified = Pick<SimilarityResult, 'model' | 'settings' | 'tokens' | 'layersToSkip' | 'layerpruneVersion'> & {
  dataset: Pick<SimilarityResult['dataset'], 'column' | 'config' | 'split' | 'revision' | 'shares'>
}

/** The model, and every setting that the numbers depend on; the first metric decides. */
export function identify(result: Identified, metrics: readonly Metric[]): Identity {
  const { model, settings, tokens, layersToSkip, dataset, layerpruneVersion } = result
  return {
    'the version of layerprune': layerpruneVersion,
    'the model': model.fingerprint.slice(0, 12),
    [nameOption('dtype')]: model.dtype,
    'the file of the model': model.file,
    [nameOption('datasetColumn')]: dataset.column,
    [nameOption('datasetConfig')]: `${dataset.config}`,
    [nameOption('datasetSplit')]: `${dataset.split}`,
    'the revision of the dataset': `${dataset.revision}`,
    ...(dataset.shares && {
      'the shares of the datasets': dataset.shares.map(nameShare).join(':'),
    }),
    [nameOption('layersToSkip')]: `${layersToSkip}`,
    [nameOption('metric')]: metrics.join(','),
    [nameOption('tokens')]: tokens,
    ...Object.fromEntries(Object.entries(settings).map(([key, value]) => [nameOption(key), `${value}`])),
  }
}

/** Files lie elsewhere on another machine; a commit is the same everywhere. */
function nameShare({ share, revision }: NonNullable<Identified['dataset']['shares']>[number]): string {
  return revision === undefined || revision === null ? `${share}` : `${share} of ${revision.slice(0, 12)}`
}

/** The first thing in which two identities differ. */
export function findDifference(
  first: Identity,
  second: Identity,
): { name: string; first: string; second: string } | undefined {
  const names = Object.keys({ ...first, ...second })
  const name = names.find((name) => first[name] !== second[name])
  if (name === undefined) return undefined
  return { name, first: first[name] ?? 'not given', second: second[name] ?? 'not given' }
}
