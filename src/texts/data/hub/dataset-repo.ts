import { LayerpruneError } from '../../../base/errors.js'
import { nameOption } from '../../../base/name-option.js'
import type { ParquetExport, TreeEntry } from '../../../files/hub/answers.js'
import { type Hub, listTree, openHub, resolveRevision } from '../../../files/hub/hub.js'
import { EntryNotFoundError, explainMissing } from '../../../files/hub/refusal.js'
import { DEFAULT_REVISION, type Repo } from '../../../files/hub/repo.js'
import type { DatasetName, DatasetOptions } from '../dataset-options.js'
import { DEFAULT_SPLIT } from '../hub-dataset.js'
import type { DatasetFile } from '../kind.js'
import { type Listing, listSplitFiles } from './data-files.js'
import { type DatasetConfig, readDatasetConfigs } from './dataset-card.js'
import { findDefaultSplits, findShardSplit, SHARD_FOLDER, shardPattern } from './default-splits.js'
import { findParquetExport, listExportFiles } from './parquet-export.js'

/** A split of a dataset on the Hub, whose files are listed while they are read. */
export interface DatasetSplit extends DatasetName {
  files: Iterable<DatasetFile> | AsyncIterable<DatasetFile>
}

const DEFAULT_CONFIG = 'default'

/**
 * Finds a split of a dataset on the Hub: in the Parquet files that the Hub makes of it. If there are none of the
 * whole split, or a revision is asked for, it is found in the dataset's own files by the Hub's conventions. The rows
 * come in the order in which Python's `load_dataset(..., streaming=True)` gives them.
 * @throws LayerpruneError if there is no such dataset, configuration or split, naming those that exist
 */
export async function openDatasetRepo(id: string, options: DatasetOptions): Promise<DatasetSplit> {
  const hub = openHub(options)
  if (hub.settings.offline) {
    throw new LayerpruneError(`${id} is not a local file or folder, and HF_HUB_OFFLINE is set`, {
      hint: 'name the files of the dataset, or unset HF_HUB_OFFLINE to stream it from the Hub',
    })
  }
  const { datasetRevision: revision, datasetConfig: config, datasetSplit: split = DEFAULT_SPLIT } = options
  const repo: Repo = { type: 'dataset', id, revision: revision ?? DEFAULT_REVISION }
  const commit = await resolveRevision(hub, repo).catch((cause) => {
    throw explainMissing(cause, `${id} is not a local file or folder`)
  })
  const pinned = { ...repo, revision: commit }
  const exported = revision === undefined ? await findExportedSplit(hub, pinned, config, split) : undefined
  const found = exported ?? (await findOwnSplit({ hub, repo: pinned }, config, split))
  return { id, revision: commit, split, ...found }
}

type FoundSplit = Pick<DatasetSplit, 'config' | 'files'>

/** @returns undefined if the Hub has made no Parquet files of the split, or only of a part of it */
async function findExportedSplit(
  hub: Hub,
  repo: Repo,
  config: string | undefined,
  split: string,
): Promise<FoundSplit | undefined> {
  const only = config === undefined ? undefined : { config, split }
  const found = await findParquetExport(hub, repo, repo.revision, only)
  if (!found) return undefined
  const name = config ?? (await chooseExportedConfig(hub, repo, found))
  const urls = found.get(name)?.get(split)
  return urls && { config: name, files: listExportFiles(hub, repo, urls) }
}

async function chooseExportedConfig(hub: Hub, repo: Repo, found: ParquetExport): Promise<string> {
  const names = [...found.keys()]
  if (names.length === 1) return names[0]!
  if (names.includes(DEFAULT_CONFIG)) return DEFAULT_CONFIG
  const configs = await readDatasetConfigs(hub, repo)
  const chosen = configs.find(({ isDefault }) => isDefault)
  if (chosen) return chosen.name
  throw severalConfigs(repo, names)
}

async function findOwnSplit(listing: Listing, config: string | undefined, split: string): Promise<FoundSplit> {
  const { hub, repo } = listing
  const configs = await readDatasetConfigs(hub, repo)
  const chosen = chooseConfig(repo, configs, config)
  const { name, folder, patterns } = chosen
  if (patterns) {
    const found = patterns.get(split) ?? noSplit(repo, name, split, [...patterns.keys()])
    return { config: name, files: listSplitFiles(listing, folder, found) }
  }
  if (await hasShards(listing, folder, name, split)) {
    return { config: name, files: listSplitFiles(listing, folder, [shardPattern(split)]) }
  }
  const entries = await listAll(listing, folder)
  const splits = findDefaultSplits(entries.map(({ path }) => path.slice(folder.length).replace(/^\//, '')))
  if (splits.size === 0) throw new LayerpruneError(`dataset ${repo.id} has no files`)
  const found = splits.get(split) ?? noSplit(repo, name, split, [...splits.keys()])
  return { config: name, files: listSplitFiles({ ...listing, entries }, folder, found) }
}

function chooseConfig(repo: Repo, configs: DatasetConfig[], asked: string | undefined): DatasetConfig {
  const all: DatasetConfig[] =
    configs.length > 0 ? configs : [{ name: DEFAULT_CONFIG, isDefault: true, folder: '', patterns: undefined }]
  const names = all.map(({ name }) => name)
  if (asked !== undefined) {
    const found = all.find(({ name }) => name === asked)
    if (found) return found
    throw new LayerpruneError(`dataset ${repo.id} has no configuration '${asked}'; it has ${listNames(names)}`, {
      hint: nameOption('datasetConfig', names[0]),
    })
  }
  const found = all.length === 1 ? all[0] : all.find(({ name, isDefault }) => isDefault || name === DEFAULT_CONFIG)
  if (found) return found
  throw severalConfigs(repo, names)
}

/** Whether the dataset is kept in numbered parts; looks no further than the first part of the split. */
async function hasShards({ hub, repo }: Listing, folder: string, config: string, split: string): Promise<boolean> {
  const prefix = folder === '' ? '' : `${folder}/`
  const splits = new Set<string>()
  try {
    for await (const page of listTree(hub, repo, { folder: `${prefix}${SHARD_FOLDER}` })) {
      for (const { path } of page) {
        const found = findShardSplit(path.slice(prefix.length))
        if (found !== undefined) splits.add(found)
      }
      if (splits.has(split)) return true
    }
  } catch (error) {
    if (!(error instanceof EntryNotFoundError)) throw error
  }
  return splits.size > 0 ? noSplit(repo, config, split, [...splits]) : false
}

async function listAll({ hub, repo }: Listing, folder: string): Promise<TreeEntry[]> {
  const entries: TreeEntry[] = []
  for await (const page of listTree(hub, repo, { folder, recursive: true })) {
    entries.push(...page.filter(({ isFolder }) => !isFolder))
  }
  return entries
}

function noSplit(repo: Repo, config: string, split: string, splits: string[]): never {
  const of = config === DEFAULT_CONFIG ? '' : ` (configuration ${config})`
  throw new LayerpruneError(`dataset ${repo.id}${of} has no split '${split}'; it has ${listNames(splits)}`, {
    hint: nameOption('datasetSplit', splits[0]),
  })
}

function severalConfigs(repo: Repo, names: string[]): LayerpruneError {
  return new LayerpruneError(`dataset ${repo.id} has several configurations: ${listNames(names)}`, {
    hint: `name one, for example ${nameOption('datasetConfig', names[0])}`,
  })
}

function listNames(names: string[]): string {
  const more = names.length > 20 ? ` and ${names.length - 20} more` : ''
  return `${names.slice(0, 20).join(', ')}${more}`
}
