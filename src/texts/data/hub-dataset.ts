import { agree, parseRepoAddress } from '../../files/hub/address.js'
import { isOnlyOnHub } from '../../files/hub/only-on-hub.js'
import type { DatasetOptions } from './dataset-options.js'
import { detectKind } from './kind.js'

type NamingOptions = Pick<DatasetOptions, 'dataset' | 'datasetConfig' | 'datasetSplit' | 'datasetRevision'>

/** A dataset on the Hub, as options and the address of its page name it. */
export interface HubDataset extends Omit<NamingOptions, 'dataset'> {
  id: string
}

/** The command line's default too: that no split was asked for. */
export const DEFAULT_SPLIT = 'train'

/**
 * The dataset on the Hub that is named: by the address of its page, or by an id that nothing on this machine is named
 * like; a name with the ending of a data file is meant to be a file.
 * @returns undefined if files on this machine are named
 * @throws UsageError if an address is that of another page, or contradicts the options
 */
export async function findHubDataset(options: NamingOptions): Promise<HubDataset | undefined> {
  const [name, ...others] = [options.dataset].flat()
  if (name === undefined || others.length > 0) return undefined
  const { datasetConfig, datasetSplit, datasetRevision } = options
  const address = parseRepoAddress(name, 'dataset')
  if (address !== undefined) {
    const split = datasetSplit === DEFAULT_SPLIT ? undefined : datasetSplit
    return {
      id: address.id,
      datasetConfig: agree('`datasetConfig`', address.config, datasetConfig),
      datasetSplit: agree('`datasetSplit`', address.split, split),
      datasetRevision: agree('`datasetRevision`', address.revision, datasetRevision),
    }
  }
  if (detectKind(name) !== undefined || !(await isOnlyOnHub(name))) return undefined
  return { id: name, datasetConfig, datasetSplit, datasetRevision }
}
