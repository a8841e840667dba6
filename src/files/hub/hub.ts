import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'
import { isCommit, parseTreeEntry, resolveAddress, type TreeEntry } from './answers.js'
import { HttpClient, type HubResponse, wholeNumberOf } from './http.js'
import { explainRefusal } from './refusal.js'
import { apiOf, isSafePath, type Repo } from './repo.js'
import { RetryPolicy, TransientError } from './retry.js'
import { type HubSettings, readHubSettings } from './settings.js'

/** What a run reports, and how it is stopped, while it reads from the Hub. */
export interface HubOptions {
  signal?: AbortSignal | undefined
  /** Called with waits, and with what was chosen if the caller left a choice. */
  onNote?: ((message: string) => void) | undefined
}

/** A connection to the Hub: settings, one client, and when to retry a failed request. */
export interface Hub extends HubOptions {
  settings: HubSettings
  http: HttpClient
}

/** What is requested: the repository that it belongs to, and its name for messages. */
export interface Request {
  repo: Repo
  what: string
  /** Milliseconds after which a failing request is given up, if that is sooner than usual. */
  deadlineMs?: number | undefined
}

/** A host that never answered is given up sooner than one that was lost. */
const FIRST_CONTACT_MS = 15_000
/** One that the machine cannot connect to at all even sooner: the name is often a mistyped path. */
const NO_NETWORK_MS = 2000
const MAX_JSON_BYTES = 1 << 27
const MAX_PAGES = 10_000
const MAX_LISTED = 2_000_000

/** @throws UsageError if the environment makes no sense */
export function openHub(options: HubOptions = {}): Hub {
  const settings = readHubSettings()
  return { ...options, settings, http: new HttpClient(settings, options.signal) }
}

/** The retry policy for one thing that is read, `what` for messages; shorter for a server that was never reached. */
export function makeRetryPolicy(
  { settings, http, signal, onNote }: Hub,
  what: string,
  deadlineMs = Number.POSITIVE_INFINITY,
): RetryPolicy {
  const limitMs = ({ isUnconnected }: TransientError) => {
    const first = isUnconnected ? NO_NETWORK_MS : FIRST_CONTACT_MS
    return Math.min(settings.retryMs, deadlineMs, http.reached ? Infinity : first)
  }
  return new RetryPolicy(what, { limitMs, signal, onNote })
}

/** @throws LayerpruneError if the request is refused, or no JSON arrives in time */
export async function fetchJson(
  hub: Hub,
  url: string,
  request: Request,
): Promise<{ value: unknown; headers: Record<string, string> }> {
  return makeRetryPolicy(hub, `cannot read ${request.what}`, request.deadlineMs).persist(async () => {
    const response = await hub.http.get(url, { accept: 'application/json' })
    const text = (await readBody(response, MAX_JSON_BYTES)).toString('utf8')
    if (response.status !== 200) throw explainRefusal(response, { ...request, settings: hub.settings })
    try {
      return { value: JSON.parse(text) as unknown, headers: response.headers }
    } catch (cause) {
      const kind = isPage(response) ? 'a web page' : 'invalid JSON'
      throw new TransientError(`${new URL(url).host} answers with ${kind} instead of data`, { cause })
    }
  })
}

/**
 * Asks the API for a paged list, one page at a time as the caller needs it.
 * @throws LayerpruneError if it is refused, is not a list, or leads elsewhere or in circles
 */
async function* fetchPages(hub: Hub, url: string, request: Request): AsyncGenerator<unknown[]> {
  const visited = new Set<string>()
  let next: string | undefined = url
  let count = 0
  while (next !== undefined) {
    if (visited.has(next) || visited.size >= MAX_PAGES) {
      throw new LayerpruneError(`${request.what}: the list has no end: page ${visited.size} leads back`)
    }
    visited.add(next)
    const { value, headers }: Awaited<ReturnType<typeof fetchJson>> = await fetchJson(hub, next, request)
    if (!Array.isArray(value)) throw new LayerpruneError(`${request.what}: expected a list from the Hub`)
    count += value.length
    if (count > MAX_LISTED) throw new LayerpruneError(`${request.what}: the list has more than ${MAX_LISTED} entries`)
    yield value
    const link = nextLinkOf(headers.link)
    next = link === undefined ? undefined : resolveAddress(link, next)
    if (next !== undefined && new URL(next).origin !== new URL(url).origin) {
      throw new LayerpruneError(`${request.what}: the next page is at another server, ${new URL(next).host}`)
    }
  }
}

/** Whether an answer is a web page: from a proxy, a login or a failing server. */
export function isPage({ headers }: HubResponse): boolean {
  return /^(text\/html|application\/xhtml)/i.test(headers['content-type'] ?? '')
}

/** Reads a whole body of bounded size; throws TransientError if it breaks off. */
async function readBody(response: HubResponse, maxBytes: number): Promise<Buffer> {
  const announced = wholeNumberOf(response.headers['content-length'])
  const parts: Buffer[] = []
  let sizeBytes = 0
  for await (const part of response.chunks) {
    sizeBytes += part.length
    if (sizeBytes > maxBytes) break
    parts.push(part)
  }
  if (sizeBytes > maxBytes) {
    throw new LayerpruneError(`${new URL(response.url).host} sends more than ${maxBytes} bytes`)
  }
  if (announced !== null && sizeBytes < announced) {
    throw new TransientError(`the answer ends after ${sizeBytes} of ${announced} bytes`)
  }
  return Buffer.concat(parts)
}

function nextLinkOf(header: string | undefined): string | undefined {
  return header
    ?.split(/,(?=\s*<)/)
    .map((link) => /<([^>]*)>.*\brel="?next"?/.exec(link)?.[1])
    .find((link) => link !== undefined)
}

/**
 * The commit that a revision points to.
 * @throws LayerpruneError with the next step, if the Hub has no such repository or revision, or hides it
 */
export async function resolveRevision(hub: Hub, repo: Repo): Promise<string> {
  const url = `${apiOf(hub.settings.endpoint, repo)}/revision/${encodeURIComponent(repo.revision)}?expand=sha`
  const what = `${repo.type} ${repo.id}`
  const { value } = await fetchJson(hub, url, { repo, what })
  if (isObject(value) && isCommit(value.sha)) return value.sha
  throw new LayerpruneError(`${what}: the Hub names no commit for revision ${repo.revision}`)
}

/**
 * Lists a folder of a repository page by page.
 * @param folder  '' for the top
 * @throws EntryNotFoundError if the repository has no such folder
 * @throws LayerpruneError if an entry does not have the form in which the Hub describes files
 */
export async function* listTree(
  hub: Hub,
  repo: Repo,
  { folder = '', recursive = false }: { folder?: string; recursive?: boolean } = {},
): AsyncGenerator<TreeEntry[]> {
  if (folder !== '' && !isSafePath(folder)) {
    throw new LayerpruneError(`${repo.type} ${repo.id} names the unsafe folder ${folder}`)
  }
  const path = folder === '' ? '' : `/${folder.split('/').map(encodeURIComponent).join('/')}`
  const revision = encodeURIComponent(repo.revision)
  const url = `${apiOf(hub.settings.endpoint, repo)}/tree/${revision}${path}?recursive=${recursive}`
  const what = `${folder === '' ? 'the list of files' : `folder ${folder}`} of ${repo.type} ${repo.id}`
  for await (const page of fetchPages(hub, url, { repo, what })) {
    yield page.map((entry) => parseTreeEntry(entry, what))
  }
}
