import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

/** A repository that the test server serves. */
export interface RepoContent {
  type: 'model' | 'dataset'
  id: string
  files: Record<string, Uint8Array | string>
  /** Files of other branches and tags. */
  branches?: Record<string, Record<string, Uint8Array | string>>
  /** 'gated': its licence is accepted by nobody; 'private': hidden from who has no token. */
  access?: 'gated' | 'private'
  /** Parquet files that the Hub made of it, by configuration and split. */
  parquet?: Record<string, Record<string, Uint8Array[]>>
  /** Whether those are of an older commit. */
  isParquetOld?: boolean
  /** Old names that lead to it. */
  aliases?: string[]
}

/** A file at a commit, named as the Hub names it. */
export interface StoredFile {
  path: string
  bytes: Buffer
  /** SHA-1 as git names a blob. */
  gitHash: string
  /** SHA-256 of a large file. */
  largeHash: string | undefined
}

export interface Snapshot {
  commit: string
  /** In the order of their names. */
  files: StoredFile[]
}

/** Branch that the Hub keeps its parquet files in. */
export const PARQUET_BRANCH = 'refs/convert/parquet'

/** Commits of a repository by branch and by commit. */
export function takeSnapshots(repo: RepoContent, largeBytes: number): Map<string, Snapshot> {
  const snapshots = new Map<string, Snapshot>()
  const branches = { main: repo.files, ...repo.branches, ...parquetBranch(repo) }
  for (const [branch, content] of Object.entries(branches)) {
    const files = Object.entries(content)
      .map(([path, bytes]) => storeFile(path, Buffer.from(bytes), largeBytes))
      .sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
    const commit = sha('sha1', [branch, repo.id, ...files.flatMap(({ path, gitHash }) => [path, gitHash])].join('\n'))
    snapshots.set(branch, { commit, files })
    snapshots.set(commit, { commit, files })
  }
  return snapshots
}

function parquetBranch({ parquet }: RepoContent): Record<string, RepoContent['files']> {
  if (!parquet) return {}
  const files: RepoContent['files'] = {}
  for (const [config, splits] of Object.entries(parquet)) {
    for (const [split, parts] of Object.entries(splits)) {
      for (const [n, bytes] of parts.entries()) {
        files[`${config}/${split}/${String(n).padStart(4, '0')}.parquet`] = bytes
      }
    }
  }
  return { [PARQUET_BRANCH]: files }
}

function storeFile(path: string, bytes: Buffer, largeBytes: number): StoredFile {
  const isLarge = bytes.length >= largeBytes
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha('sha256', bytes)}\nsize ${bytes.length}\n`
  const stored = isLarge ? Buffer.from(pointer) : bytes
  return {
    path,
    bytes,
    gitHash: sha('sha1', Buffer.concat([Buffer.from(`blob ${stored.length}\0`), stored])),
    largeHash: isLarge ? sha('sha256', bytes) : undefined,
  }
}

function sha(algorithm: 'sha1' | 'sha256', content: Uint8Array | string): string {
  return createHash(algorithm).update(content).digest('hex')
}

/** What the API says of a repository: all of it, or what `expand` asks for. */
export function describeRepo(repo: RepoContent, { commit, files }: Snapshot, query: URLSearchParams) {
  const whole = {
    _id: '0123456789abcdef01234567',
    id: repo.id,
    [repo.type === 'model' ? 'modelId' : 'datasetId']: repo.id,
    sha: commit,
    private: repo.access === 'private',
    gated: repo.access === 'gated' ? 'manual' : false,
    disabled: false,
    tags: [],
    siblings: files.map(({ path }) => ({ rfilename: path })),
  }
  const asked = query.getAll('expand')
  if (asked.length === 0) return whole
  return Object.fromEntries(Object.entries(whole).filter(([key]) => ['_id', 'id', ...asked].includes(key)))
}

/** A folder as the API lists it: folders come before files, each in the order of their names. */
export function listEntries({ commit, files }: Snapshot, folder: string, recursive: boolean) {
  const prefix = folder === '' ? '' : `${folder}/`
  const inside = files.filter(({ path }) => path.startsWith(prefix))
  const isDirect = (path: string) => recursive || !path.slice(prefix.length).includes('/')
  const folders = new Set(
    inside.flatMap(({ path }) => {
      const parts = path.slice(prefix.length).split('/').slice(0, -1)
      return parts.map((_, i) => prefix + parts.slice(0, i + 1).join('/')).filter(isDirect)
    }),
  )
  return [
    ...[...folders].map((path) => ({ type: 'directory', oid: commit, size: 0, path })),
    ...inside
      .filter(({ path }) => isDirect(path))
      .map(({ path, bytes, gitHash, largeHash }) => ({
        type: 'file',
        oid: gitHash,
        size: bytes.length,
        path,
        ...(largeHash ? { lfs: { oid: largeHash, size: bytes.length, pointerSize: 130 } } : {}),
      })),
  ]
}

/** The files of a folder on disk as those of a repository. */
export function filesOf(folder: string): Record<string, Uint8Array> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return Object.fromEntries(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name)
      return [relative(folder, path), readFileSync(path)]
    }),
  )
}
