import type { Metric } from '../../results/documents/metrics.js'
import type { SimilarityResult } from '../../results/documents/similarity-result.js'

/** Settings that must match for two runs to be merged, keyed by their name in messages. */
export type Identity = Record<string, string>

type Identified = Pick<
  SimilarityResult,
  'model' | 'settings' | 'tokens' | 'layersToSkip' | 'layerpruneVersion'
> & {
  dataset: Pick<SimilarityResult['dataset'], 'column' | 'config' | 'split' | 'revision' | 'shares'>
}

/**
 * The model, and every setting that the numbers depend on.
 * @param metrics  the one that decides first
 */
export function identify(result: Identified, metrics: readonly Metric[]): Identity {
  const { model, settings, tokens, layersToSkip, dataset, layerpruneVersion } = result
  return {
    'the version of layerprune': layerpruneVersion,
    'the model': model.fingerprint.slice(0, 12),
    '--dtype': model.dtype,
    'the file of the model': model.file,
    '--dataset-column': dataset.column,
    '--dataset-config': `${dataset.config}`,
    '--dataset-split': `${dataset.split}`,
    'the revision of the dataset': `${dataset.revision}`,
    ...(dataset.shares && {
      'the shares of the datasets': dataset.shares.map(nameShare).join(':'),
    }),
    '--layers-to-skip': `${layersToSkip}`,
    '--metric': metrics.join(','),
    '--tokens': tokens,
    ...Object.fromEntries(Object.entries(settings).map(([key, value]) => [nameFlag(key), `${value}`])),
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

/** The flag of an option: its name with hyphens. */
export function nameFlag(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}
