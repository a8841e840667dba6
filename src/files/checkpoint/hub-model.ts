import { LayerpruneError } from '../../base/errors.js'
import type { TreeEntry } from '../hub/answers.js'
import { findInCache, listSnapshot, readCachedCommit, writeCachedCommit } from '../hub/cache.js'
import { downloadFile, isCached } from '../hub/download.js'
import { type Hub, listTree, openHub, resolveRevision } from '../hub/hub.js'
import { removeAbandonedPartials } from '../hub/partial-file.js'
import { explainMissing } from '../hub/refusal.js'
import { DEFAULT_REVISION, type Repo } from '../hub/repo.js'
import { UnreachableError } from '../hub/retry.js'
import type { ModelSource, ModelSourceOptions } from './model-source.js'

/** A download that is worth a line. */
const NOTED_BYTES = 10e6

/**
 * Finds a model on the Hub; its files are downloaded into the cache as they are requested. Offline, or if the Hub
 * cannot be reached, what the cache has of the revision is used.
 * @throws LayerpruneError if it is not there, not accessible, or the Hub cannot be reached and the cache has
 *   nothing
 */
export async function openModelRepo(options: ModelSourceOptions): Promise<ModelSource> {
  const { model, revision = DEFAULT_REVISION, onNote } = options
  const hub = openHub(options)
  const { settings } = hub
  const repo: Repo = { type: 'model', id: model, revision }
  const cached = await readCachedCommit(settings, repo)
  if (settings.offline) {
    if (cached !== undefined) return openSnapshot(hub, repo, cached)
    throw new LayerpruneError(
      `${model} is neither a local folder nor in the Hub cache ${settings.cacheFolder}, and HF_HUB_OFFLINE is set`,
      { hint: 'name a folder, or unset HF_HUB_OFFLINE once to download the model' },
    )
  }
  try {
    const commit = await resolveRevision(hub, repo)
    return await openRemote(hub, repo, commit, options)
  } catch (cause) {
    if (cause instanceof UnreachableError && cached !== undefined && !hub.http.reached) {
      onNote?.(`${cause.message}; using the copy of ${model} in the cache, commit ${cached.slice(0, 8)}`)
      return openSnapshot(hub, repo, cached)
    }
    throw explainMissing(cause, `${model} is not a local folder`)
  }
}

async function openSnapshot({ settings }: Hub, repo: Repo, commit: string): Promise<ModelSource> {
  const folder = findInCache(settings, repo).snapshotOf(commit)
  return {
    id: repo.id,
    revision: commit,
    folder,
    names: await listSnapshot(folder),
    provide: async () => {},
  }
}

async function openRemote(
  hub: Hub,
  repo: Repo,
  commit: string,
  { onDownload, onNote }: ModelSourceOptions,
): Promise<ModelSource> {
  const entries = new Map<string, TreeEntry>()
  for await (const page of listTree(hub, { ...repo, revision: commit }, { recursive: true })) {
    for (const entry of page) if (!entry.isFolder) entries.set(entry.path, entry)
  }
  const folder = findInCache(hub.settings, repo).snapshotOf(commit)
  let doneBytes = 0
  let totalBytes = 0

  async function provide(names: string[]): Promise<void> {
    const missing: TreeEntry[] = []
    for (const name of names) {
      const entry = entries.get(name)
      if (entry && !(await isCached(hub, repo, commit, entry))) missing.push(entry)
    }
    const missingBytes = missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    totalBytes += missingBytes
    if (missingBytes > NOTED_BYTES) {
      onNote?.(`downloading ${Math.round(missingBytes / 1e6)} MB of ${repo.id} to ${hub.settings.cacheFolder}`)
    }
    for (const entry of missing) {
      await downloadFile(hub, repo, commit, entry, (bytes) => {
        doneBytes += bytes
        onDownload?.({ file: entry.path, doneBytes, totalBytes })
      })
    }
    await writeCachedCommit(hub.settings, repo, commit)
    await removeAbandonedPartials(findInCache(hub.settings, repo).blobs)
  }

  return { id: repo.id, revision: commit, folder, names: [...entries.keys()].sort(), provide }
}
