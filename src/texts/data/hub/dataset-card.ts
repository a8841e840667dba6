import { LayerpruneError } from '../../../base/errors.js'
import { isObject } from '../../../base/is-object.js'
import { readYaml } from '../../../base/read-yaml.js'
import { describe } from '../../../files/hub/answers.js'
import type { Hub } from '../../../files/hub/hub.js'
import { EntryNotFoundError } from '../../../files/hub/refusal.js'
import { readRemoteText } from '../../../files/hub/remote-file.js'
import { fileUrl, type Repo } from '../../../files/hub/repo.js'

/** A configuration of a dataset, as `configs:` at the top of its README.md describes it. */
export interface DatasetConfig {
  name: string
  isDefault: boolean
  /** Folder that patterns are relative to; '' for the top. */
  folder: string
  /** Patterns of the files of each split; undefined if the Hub's default patterns apply. */
  patterns: Map<string, string[]> | undefined
}

const MAX_CARD_BYTES = 1 << 22

/**
 * Reads the configurations of a dataset from its card; none if it has no card or the card names none.
 * @see https://huggingface.co/docs/hub/datasets-manual-configuration
 * @throws LayerpruneError if the card's metadata is malformed
 */
export async function readDatasetConfigs(hub: Hub, repo: Repo): Promise<DatasetConfig[]> {
  const what = `README.md of dataset ${repo.id}`
  const url = fileUrl(hub.settings.endpoint, repo, 'README.md')
  const text = await readRemoteText(hub, { repo, what, url, sizeBytes: null }, MAX_CARD_BYTES).catch((error) => {
    if (error instanceof EntryNotFoundError) return ''
    throw error
  })
  return parseDatasetConfigs(text, what)
}

/** @param what  the card, for messages */
async function parseDatasetConfigs(card: string, what: string): Promise<DatasetConfig[]> {
  const fail = (found: string): never => {
    throw new LayerpruneError(`${what}: the dataset's configurations are malformed: ${found}`)
  }
  const lines = card.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)
  const end = lines.indexOf('---', 1)
  if (lines[0] !== '---' || end === -1) return []
  const { value: metadata, errors } = await readYaml(lines.slice(1, end).join('\n'), what, { uniqueKeys: false })
  if (errors.length > 0) return fail(`invalid YAML: ${errors[0]}`)
  const configs = isObject(metadata) ? metadata.configs : undefined
  if (configs === undefined || configs === null) return []
  if (!Array.isArray(configs)) return fail('configs is not a list')
  return configs.map((config: unknown) => {
    if (!isObject(config) || config.config_name === undefined) return fail('an entry has no config_name')
    const { config_name: name, data_dir: folder, data_files: files } = config
    return {
      name: toText(name, 'config_name', fail),
      isDefault: config.default === true,
      folder: cleanFolder(toText(folder ?? '', 'data_dir', fail)),
      patterns: files === undefined || files === null ? undefined : parsePatterns(files, fail),
    }
  })
}

/** A name in YAML, which may read as a number or a boolean. */
function toText(value: unknown, key: string, fail: (found: string) => never): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value)
  return fail(`${key} is not text but ${describe(value)}`)
}

function cleanFolder(folder: string): string {
  return folder
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')
}

/** A pattern or a list of them for the split train, or of each split. */
function parsePatterns(files: unknown, fail: (found: string) => never): Map<string, string[]> {
  if (typeof files === 'string') return new Map([['train', [files]]])
  if (isObject(files)) {
    return new Map(Object.entries(files).map(([split, paths]) => [split, toPaths(paths, fail)]))
  }
  if (!Array.isArray(files)) return fail('data_files is neither a pattern nor a list')
  if (!files.some(isObject)) return new Map([['train', toPaths(files, fail)]])
  const patterns = new Map<string, string[]>()
  for (const entry of files as unknown[]) {
    if (!isObject(entry) || typeof entry.split !== 'string') {
      return fail('data_files has an entry without split')
    }
    if (patterns.has(entry.split)) return fail(`data_files names the split ${entry.split} twice`)
    patterns.set(entry.split, toPaths(entry.path, fail))
  }
  return patterns
}

function toPaths(value: unknown, fail: (found: string) => never): string[] {
  const paths = [value].flat()
  return paths.every((path) => typeof path === 'string') ? paths : fail('a path is not a string')
}
