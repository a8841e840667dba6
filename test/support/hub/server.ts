import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Fault, send, sendBody, sendFile, sendSlowly } from './answers.js'
import {
  describeRepo,
  listEntries,
  PARQUET_BRANCH,
  type RepoContent,
  type Snapshot,
  type StoredFile,
  takeSnapshots,
} from './repos.js'

interface FaultRule {
  /** Of a request's `METHOD url`. */
  match: RegExp
  /** Requests that it happens to. */
  times: number
  fault: Fault
}

export interface LoggedRequest {
  at: 'hub' | 'cdn'
  method: string
  url: string
  authorization: string | undefined
  range: string | undefined
  status: number
  bytesSent: number
}

export interface HubServer {
  /** For HF_ENDPOINT. */
  endpoint: string
  requests: LoggedRequest[]
  add(...repos: RepoContent[]): void
  /** Changes what a repository holds. */
  replace(repo: RepoContent): void
  /** Makes the next requests that match fail. */
  fail(match: RegExp, fault: Fault, times?: number): void
  /** Lets the addresses at the CDN run out. */
  forget(): void
  /** Forgets requests and faults. */
  reset(): void
  commitOf(id: string, revision?: string): string
  close(): Promise<void>
}

interface ServerOptions {
  /** Entries in a page of a listing. */
  pageSize?: number
  /** Files of this size are large: they lie at the CDN. */
  largeBytes?: number
  /** The token of somebody who may see private repositories. */
  token?: string
}

interface ServedRepo extends RepoContent {
  snapshots: Map<string, Snapshot>
}

const ID = '(?<id>(?:[^/]+/)??[^/]+)'
const API = new RegExp(
  `^/api/(?<type>model|dataset)s/${ID}(?:/(?<part>revision|tree|paths-info|parquet)(?:/(?<rest>.*))?)?$`,
)
const FILE = new RegExp(`^/(?:(?<type>dataset)s/)?${ID}/resolve/(?<revision>[^/]+)/(?<path>.+)$`)
const SMALL_FILE = new RegExp(`^/api/resolve-cache/(?<type>model|dataset)s/${ID}/(?<commit>[0-9a-f]{40})/(?<path>.+)$`)

/** A refusal as the Hub words it. */
class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string | undefined,
    message: string,
  ) {
    super(message)
  }
}

/**
 * Serves models and datasets over HTTP as the Hub does: API, files, and large files from a second port as its CDN.
 * test/interop/hub.test.ts checks it against Python's huggingface_hub and datasets.
 */
export async function startHubServer({
  pageSize = 1000,
  largeBytes = 4096,
  token = 'hf_good',
}: ServerOptions = {}): Promise<HubServer> {
  const repos: ServedRepo[] = []
  const blobs = new Map<string, StoredFile>()
  const requests: LoggedRequest[] = []
  let faults: FaultRule[] = []
  const hub = createServer((request, response) => serve('hub', request, response))
  const cdn = createServer((request, response) => serve('cdn', request, response))
  const [endpoint, cdnAddress] = await Promise.all([listen(hub), listen(cdn)])

  function serve(at: 'hub' | 'cdn', request: IncomingMessage, response: ServerResponse) {
    const { method = 'GET', url = '/' } = request
    const logged: LoggedRequest = {
      at,
      method,
      url,
      authorization: request.headers.authorization,
      range: request.headers.range,
      status: 0,
      bytesSent: 0,
    }
    requests.push(logged)
    const write = response.write.bind(response)
    response.write = ((chunk: Buffer) => {
      logged.bytesSent += chunk.length
      return write(chunk)
    }) as typeof response.write
    response.on('close', () => {
      logged.status = response.statusCode
    })
    const rule = faults.find((rule) => rule.times > 0 && rule.match.test(`${method} ${url}`))
    if (rule) rule.times--
    const fault = rule?.fault
    if (fault?.kind === 'status') return send(response, fault.status, Buffer.from('{"error":"fault"}'), fault.headers)
    if (fault?.kind === 'slowRedirect') {
      const endless = { kind: 'slow', bytes: 1, everyMs: 50 } as const
      return void sendSlowly(response, 302, Buffer.alloc(2000), { location: fault.location }, endless)
    }
    if (fault?.kind === 'answer') {
      return send(response, fault.status ?? 200, Buffer.from(fault.body), {
        'content-type': 'application/json',
        ...fault.headers,
      })
    }
    if (fault?.kind === 'list') {
      return send(response, 200, Buffer.from(JSON.stringify(fault.entries ?? [])), {
        'content-type': 'application/json',
        ...fault.headers,
      })
    }
    if (fault?.kind === 'html') {
      return send(response, 200, Buffer.from('<!DOCTYPE html><title>Please log in</title>'), {
        'content-type': 'text/html; charset=utf-8',
      })
    }
    try {
      if (at === 'cdn') serveBlob(request, response, fault)
      else serveHub(request, response, fault)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      const headers = {
        'content-type': 'application/json',
        'x-error-message': error.message,
        ...(error.code === undefined ? {} : { 'x-error-code': error.code }),
      }
      send(response, error.status, Buffer.from(JSON.stringify({ error: error.message })), headers)
    }
  }

  function serveHub(request: IncomingMessage, response: ServerResponse, fault: Fault | undefined) {
    const url = new URL(request.url ?? '/', endpoint)
    const matches = (route: RegExp) => route.exec(url.pathname)?.groups
    const small = matches(SMALL_FILE)
    if (small) {
      const { stored, commit } = findFile(request, small.type!, small.id!, small.commit!, decodePath(small.path!))
      const headers = { etag: `"${stored.gitHash}"`, 'x-repo-commit': commit }
      return sendFile(request, response, stored, headers, fault)
    }
    const route = matches(FILE) ?? matches(API)
    if (!route) throw new Refusal(404, undefined, 'Not Found')
    const { id = '', part = 'revision', rest = '', path } = route
    const type = route.type ?? 'model'
    const alias = repos.find((repo) => repo.type === type && repo.aliases?.includes(id))
    if (alias) return send(response, 307, Buffer.from(''), { location: request.url!.replace(id, alias.id) })
    if (path !== undefined) {
      return resolveFile(request, response, type, id, decodeURIComponent(route.revision!), decodePath(path))
    }
    const repo = findRepo(request, type, id)
    if (part === 'parquet') {
      return serveParquet(response, repo, rest.split('/').filter(Boolean).map(decodeURIComponent))
    }
    const [revision = 'main', ...folder] = rest === '' ? [] : rest.split('/').map(decodeURIComponent)
    const snapshot = findSnapshot(repo, revision)
    const respond = (value: unknown, headers: Record<string, string> = {}) =>
      sendBody(
        response,
        200,
        Buffer.from(JSON.stringify(value)),
        { 'content-type': 'application/json', ...headers },
        fault,
      )
    if (part === 'revision') return respond(describeRepo(repo, snapshot, url.searchParams))
    if (part === 'tree') return serveTree(url, snapshot, folder.join('/'), respond)
    readForm(request, (form) => {
      const asked = form.getAll('paths')
      respond(listEntries(snapshot, '', true).filter((entry) => asked.includes(entry.path)))
    })
  }

  function findRepo({ headers }: IncomingMessage, type: string, id: string): ServedRepo {
    const { authorization } = headers
    if (authorization !== undefined && !/^(Bearer hf_|Basic )/.test(authorization)) {
      throw new Refusal(401, undefined, 'Invalid credentials in Authorization header')
    }
    const repo = repos.find((repo) => repo.type === type && repo.id === id)
    const isVisible = repo && (repo.access !== 'private' || authorization === `Bearer ${token}`)
    if (isVisible) return repo
    throw new Refusal(authorization === undefined ? 401 : 404, 'RepoNotFound', 'Repository not found')
  }

  function findSnapshot({ snapshots }: ServedRepo, revision: string): Snapshot {
    const snapshot = snapshots.get(revision)
    if (!snapshot) throw new Refusal(404, 'RevisionNotFound', `Invalid rev id: ${revision}`)
    return snapshot
  }

  function findFile(request: IncomingMessage, type: string, id: string, revision: string, name: string) {
    const repo = findRepo(request, type, id)
    if (repo.access === 'gated') {
      const status = request.headers.authorization === undefined ? 401 : 403
      throw new Refusal(status, 'GatedRepo', `Access to ${type} ${id} is restricted.`)
    }
    const { commit, files } = findSnapshot(repo, revision)
    const stored = files.find((candidate) => candidate.path === name)
    if (!stored) throw new Refusal(404, 'EntryNotFound', 'Entry not found')
    return { commit, stored }
  }

  /** Sends a large file to the CDN, a small one to another address of the Hub. */
  function resolveFile(
    request: IncomingMessage,
    response: ServerResponse,
    type: string,
    id: string,
    revision: string,
    name: string,
  ) {
    const { commit, stored } = findFile(request, type, id, revision, name)
    const hash = stored.largeHash ?? stored.gitHash
    const location = stored.largeHash
      ? `${cdnAddress}/blobs/${hash}?X-Amz-Signature=${hash.slice(0, 16)}&Expires=3600`
      : `/api/resolve-cache/${type}s/${id}/${commit}/${name.split('/').map(encodeURIComponent).join('/')}`
    if (stored.largeHash) blobs.set(hash, stored)
    send(response, stored.largeHash ? 302 : 307, Buffer.from(`Redirecting to ${location}`), {
      location,
      'accept-ranges': 'bytes',
      'x-repo-commit': commit,
      'x-linked-size': `${stored.bytes.length}`,
      'x-linked-etag': `"${hash}"`,
    })
  }

  /** As S3 does, the CDN refuses a request that is signed and brings a token too. */
  function serveBlob(request: IncomingMessage, response: ServerResponse, fault: Fault | undefined) {
    const { pathname, searchParams } = new URL(request.url ?? '/', cdnAddress)
    const hash = pathname.slice('/blobs/'.length)
    const stored = blobs.get(hash)
    if (request.headers.authorization !== undefined)
      throw new Refusal(400, undefined, 'Only one auth mechanism allowed')
    if (!stored || searchParams.get('X-Amz-Signature') !== hash.slice(0, 16)) {
      throw new Refusal(403, undefined, 'Access Denied')
    }
    sendFile(request, response, stored, { etag: `"${hash.slice(0, 32)}"` }, fault)
  }

  function serveParquet(response: ServerResponse, repo: ServedRepo, names: string[]) {
    const { parquet, id } = repo
    const [config, split, file] = names
    const missing = () => new Refusal(404, undefined, 'The parquet files are not found')
    if (!parquet) throw missing()
    const urlsOf = (config: string, split: string) =>
      parquet[config]![split]!.map((_, n) => `${endpoint}/api/datasets/${id}/parquet/${config}/${split}/${n}.parquet`)
    const splitsOf = (config: string) =>
      Object.fromEntries(Object.keys(parquet[config]!).map((split) => [split, urlsOf(config, split)]))
    if (config !== undefined && !parquet[config]) throw missing()
    if (split !== undefined && !parquet[config!]![split]) throw missing()
    if (file !== undefined) {
      const number = file.replace('.parquet', '').padStart(4, '0')
      const revision = encodeURIComponent(PARQUET_BRANCH)
      const location = `${endpoint}/datasets/${id}/resolve/${revision}/${config}/${split}/${number}.parquet`
      return send(response, 302, Buffer.from(''), { location })
    }
    const all = () => Object.fromEntries(Object.keys(parquet).map((config) => [config, splitsOf(config)]))
    const value = split ? urlsOf(config!, split) : config ? splitsOf(config) : all()
    const revision = repo.isParquetOld ? '0'.repeat(40) : findSnapshot(repo, 'main').commit
    const headers = { 'content-type': 'application/json', 'x-revision': revision }
    send(response, 200, Buffer.from(JSON.stringify(value)), headers)
  }

  function serveTree(
    url: URL,
    snapshot: Snapshot,
    folder: string,
    respond: (value: unknown, headers?: Record<string, string>) => void,
  ) {
    const entries = listEntries(snapshot, folder, url.searchParams.get('recursive')?.toLowerCase() === 'true')
    if (entries.length === 0 && folder !== '') throw new Refusal(404, 'EntryNotFound', `${folder} does not exist`)
    const start = Number(url.searchParams.get('cursor') ?? 0)
    const end = start + pageSize
    if (end < entries.length) url.searchParams.set('cursor', `${end}`)
    respond(entries.slice(start, end), end < entries.length ? { link: `<${url.href}>; rel="next"` } : {})
  }

  return {
    endpoint,
    requests,
    add(...added) {
      for (const repo of added) repos.push({ ...repo, snapshots: takeSnapshots(repo, largeBytes) })
    },
    replace: (repo) =>
      void Object.assign(repos.find(({ id }) => id === repo.id)!, repo, {
        snapshots: takeSnapshots(repo, largeBytes),
      }),
    fail: (match, fault, times = 1) => faults.push({ match, times, fault }),
    forget: () => blobs.clear(),
    reset() {
      requests.length = 0
      faults = []
    },
    commitOf: (id, revision = 'main') => repos.find((repo) => repo.id === id)!.snapshots.get(revision)!.commit,
    async close() {
      for (const server of [hub, cdn]) {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      }
    },
  }
}

function readForm(request: IncomingMessage, done: (form: URLSearchParams) => void) {
  let text = ''
  request.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  request.on('end', () => done(new URLSearchParams(text)))
}

function decodePath(path: string): string {
  return path.split('/').map(decodeURIComponent).join('/')
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
