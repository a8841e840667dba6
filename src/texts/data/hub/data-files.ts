import { basename } from 'node:path'
import { LayerpruneError } from '../../../base/errors.js'
import type { TreeEntry } from '../../../files/hub/answers.js'
import { type Hub, listTree } from '../../../files/hub/hub.js'
import { EntryNotFoundError } from '../../../files/hub/refusal.js'
import { openRemoteSource } from '../../../files/hub/remote-file.js'
import { fileUrl, isSafePath, type Repo } from '../../../files/hub/repo.js'
import { type DataFormat, type DatasetFile, detectKind } from '../kind.js'
import { type FilePattern, parsePattern } from './file-pattern.js'

/** A file that a pattern found; the size is null if the pattern itself named the file. */
type FoundFile = Pick<TreeEntry, 'path'> & { sizeBytes: number | null }

/** Formats that Python's datasets reads with the same module: a split is read by one of them. */
const MODULES: Record<DataFormat, string> = {
  parquet: 'parquet',
  jsonl: 'json',
  json: 'json',
  csv: 'csv',
  tsv: 'tsv',
  text: 'text',
}
/** Which one is read if a split has as many files of either. */
const PREFERENCE = ['parquet', 'json', 'csv', 'tsv', 'text']

/** A repository at a commit, with all of its files if they are known. */
export interface Listing {
  hub: Hub
  repo: Repo
  entries?: TreeEntry[] | undefined
}

/**
 * The files of a split in the order of Python's datasets: patterns in their order, the matches of each by name.
 * They are listed while they are read; files in other formats than the most frequent one are skipped.
 * @param patterns  relative to `folder`
 * @throws LayerpruneError while iterating, if there are none, or the Hub's list is not in order
 */
export function listSplitFiles(listing: Listing, folder: string, patterns: string[]): AsyncIterable<DatasetFile> {
  const { hub, repo } = listing
  return {
    async *[Symbol.asyncIterator]() {
      let module: string | undefined
      const others = new Set<string>()
      for (const pattern of patterns) {
        for await (const files of findMatches(listing, parsePattern(`${folder}/${pattern}`))) {
          module ??= findCommonModule(files.map(({ path }) => path))
          for (const { path, sizeBytes } of files) {
            const kind = detectDataKind(path)
            if (!kind || MODULES[kind.format] !== module) {
              others.add(basename(path))
              continue
            }
            if (!isSafePath(path)) throw new LayerpruneError(`dataset ${repo.id} names the unsafe file ${path}`)
            const url = fileUrl(hub.settings.endpoint, repo, path)
            yield {
              kind,
              source: openRemoteSource(hub, { repo, what: `${repo.id}/${path}`, url, sizeBytes }),
            }
          }
        }
      }
      if (module !== undefined) return
      const found = others.size === 0 ? 'none' : [...others].slice(0, 5).join(', ')
      throw new LayerpruneError(
        `dataset ${repo.id} has no data files for ${patterns.join(', ')}: expected parquet, jsonl, json, csv, tsv or txt, found ${found}`,
      )
    },
  }
}

/** On the Hub only .txt files are texts to read: others, such as .md, are cards and notes. */
function detectDataKind(path: string) {
  const kind = detectKind(basename(path))
  return kind?.format === 'text' && !/\.txt(\.|$)/i.test(path) ? undefined : kind
}

function findCommonModule(paths: string[]): string | undefined {
  const counts = new Map<string, number>()
  for (const path of paths) {
    const kind = detectDataKind(path)
    if (!kind) continue
    const module = MODULES[kind.format]
    counts.set(module, (counts.get(module) ?? 0) + 1)
  }
  const ranked = [...counts].sort(
    ([a, countA], [b, countB]) => countB - countA || PREFERENCE.indexOf(a) - PREFERENCE.indexOf(b),
  )
  return ranked[0]?.[0]
}

/** Matches in the order of their names, in groups as they become known. */
async function* findMatches(listing: Listing, pattern: FilePattern): AsyncGenerator<FoundFile[]> {
  const { file, folder, isFlat, matches } = pattern
  if (file !== null) yield [{ path: file, sizeBytes: null }]
  else if (listing.entries) yield sortByPath(listing.entries.filter(({ path }) => matches(path)))
  else if (isFlat) yield* findInFolder(listing, folder, matches)
  else yield* findBelow(listing, folder, pattern)
}

/** Matches in one folder, page by page: the Hub lists the files of a folder in the order of their names. */
async function* findInFolder(listing: Listing, folder: string, matches: FilePattern['matches']) {
  let last = ''
  for await (const page of listFolder(listing, folder)) {
    const files = sortByPath(page.filter(({ path, isFolder }) => !isFolder && matches(path)))
    if (files.length === 0) continue
    if (compare(files[0]!.path, last) < 0) {
      throw new LayerpruneError(
        `dataset ${listing.repo.id}: the Hub lists ${files[0]!.path} after ${last}, so the order of the rows is not known`,
      )
    }
    last = files.at(-1)!.path
    yield files
  }
}

/** Matches in a folder and below, one folder at a time. */
async function* findBelow(listing: Listing, folder: string, pattern: FilePattern): AsyncGenerator<FoundFile[]> {
  const entries: TreeEntry[] = []
  for await (const page of listFolder(listing, folder)) entries.push(...page)
  // the content of a folder is sorted by the folder's name with its slash
  const key = ({ path, isFolder }: TreeEntry) => (isFolder ? `${path}/` : path)
  entries.sort((a, b) => compare(key(a), key(b)))
  let files: FoundFile[] = []
  for (const entry of entries) {
    if (!entry.isFolder && pattern.matches(entry.path)) files.push(entry)
    if (!entry.isFolder || !pattern.reaches(entry.path)) continue
    if (files.length > 0) yield files
    files = []
    yield* findBelow(listing, entry.path, pattern)
  }
  if (files.length > 0) yield files
}

/** A folder's entries page by page; none if the revision has no such folder. */
async function* listFolder({ hub, repo }: Listing, folder: string): AsyncGenerator<TreeEntry[]> {
  try {
    yield* listTree(hub, repo, { folder })
  } catch (error) {
    if (!(error instanceof EntryNotFoundError)) throw error
  }
}

function sortByPath<T extends { path: string }>(files: T[]): T[] {
  return files.sort((a, b) => compare(a.path, b.path))
}

/** Order of Python's strings: by code point. */
function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
