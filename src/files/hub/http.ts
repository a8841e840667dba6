import { getProxyForUrl } from 'proxy-from-env'
import { Agent, type Dispatcher, ProxyAgent, request } from 'undici'
import { LayerpruneError, UsageError } from '../../base/errors.js'
import { VERSION } from '../../base/version.js'
import { isCommit, resolveAddress } from './answers.js'
import { discard, readChunks } from './body.js'
import { networkError } from './network-error.js'
import { TransientError } from './retry.js'
import type { HubSettings } from './settings.js'

const MAX_REDIRECTS = 8
const CONNECT_TIMEOUT_MS = 10_000
const TRANSIENT_STATUS = new Set([408, 425, 429, 500, 502, 503, 504])

type Headers = Record<string, string>

/** An answer whose body has not been read; the caller reads the body or discards it. */
export interface HubResponse {
  status: number
  /** Lower-case names. */
  headers: Headers
  /** What the Hub itself said about the file before it redirected the request. */
  linked: { sizeBytes: number | null; commit: string | null; etag: string | null }
  /** Where the answer came from, after redirects. */
  url: string
  /**
   * The body in chunks, once; ending early closes the connection.
   * @throws TransientError while iterating, if it breaks off or arrives too slowly
   */
  chunks: AsyncGenerator<Buffer>
}

/** Sends the requests of one run. Redirects are followed by hand, so that only the Hub sees the token. */
export class HttpClient {
  /** Whether anything has answered yet. */
  reached = false
  readonly settings: HubSettings
  readonly #dispatchers = new Map<string, Dispatcher>()
  readonly #origin: string
  readonly #signal: AbortSignal | undefined

  constructor(settings: HubSettings, signal: AbortSignal | undefined) {
    this.settings = settings
    this.#origin = new URL(settings.endpoint).origin
    this.#signal = signal
  }

  /**
   * Sends one GET and follows its redirects.
   * @throws TransientError if the network or the server fails in a way that may pass
   * @throws LayerpruneError if redirects lead in circles or to something other than a web address
   */
  async get(url: string, headers: Headers = {}): Promise<HubResponse> {
    const linked: HubResponse['linked'] = { sizeBytes: null, commit: null, etag: null }
    const visited = new Set<string>()
    let address = url
    for (;;) {
      if (visited.has(address) || visited.size > MAX_REDIRECTS) {
        throw new LayerpruneError(`${url} redirects in circles`)
      }
      visited.add(address)
      const response = await this.#send(address, headers)
      linked.sizeBytes ??= wholeNumberOf(response.headers['x-linked-size'])
      linked.etag ??= response.headers['x-linked-etag'] ?? null
      const commit = response.headers['x-repo-commit']
      if (isCommit(commit)) linked.commit ??= commit
      const { location } = response.headers
      if (response.status >= 300 && response.status < 400 && location !== undefined) {
        await discard(response.chunks)
        address = resolveAddress(location, address)
        continue
      }
      if (TRANSIENT_STATUS.has(response.status)) {
        await discard(response.chunks)
        throw new TransientError(`${new URL(address).host} answers ${response.status}`, {
          retryAfterMs: retryAfterOf(response.headers),
        })
      }
      return { ...response, linked, url: address }
    }
  }

  /** The Hub's token, or the password in its address, which takes precedence as in Python: to its own origin only. */
  #authorization(url: string): Headers {
    const { token, credentials } = this.settings
    if (new URL(url).origin !== this.#origin) return {}
    if (credentials !== undefined) return { authorization: `Basic ${credentials}` }
    return token === undefined ? {} : { authorization: `Bearer ${token}` }
  }

  async #send(url: string, headers: Headers) {
    this.#signal?.throwIfAborted()
    const { stallMs } = this.settings
    const proxy = getProxyForUrl(url)
    const dispatcher = this.#dispatcherFor(proxy)
    const explain = (cause: unknown) => {
      this.#signal?.throwIfAborted()
      return networkError(cause, url, proxy)
    }
    const answer = await request(url, {
      dispatcher,
      headersTimeout: stallMs,
      bodyTimeout: stallMs,
      signal: this.#signal,
      headers: {
        'user-agent': `layerprune/${VERSION}`,
        // sizes are those of the file, and ranges count its bytes
        'accept-encoding': 'identity',
        ...headers,
        ...this.#authorization(url),
      },
    }).catch((cause: unknown) => {
      throw explain(cause)
    })
    this.reached = true
    const flat = Object.entries(answer.headers).map(([name, value]) => [name, [value].flat().join(', ')])
    return {
      status: answer.statusCode,
      headers: Object.fromEntries(flat) as Headers,
      chunks: readChunks(answer.body, { host: new URL(url).host, windowMs: stallMs, explain }),
    }
  }

  /** @param proxy  its address, '' for none */
  #dispatcherFor(proxy: string): Dispatcher {
    if (proxy !== '' && !(URL.canParse(proxy) && /^https?:$/.test(new URL(proxy).protocol))) {
      throw new UsageError('the proxy that the environment names cannot be used: expected an http:// address', {
        hint: 'check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY',
      })
    }
    let dispatcher = this.#dispatchers.get(proxy)
    if (!dispatcher) {
      const options = { connect: { timeout: CONNECT_TIMEOUT_MS } }
      dispatcher = proxy === '' ? new Agent(options) : new ProxyAgent({ uri: proxy, ...options })
      this.#dispatchers.set(proxy, dispatcher)
    }
    return dispatcher
  }
}

/** Milliseconds that a 429 or 503 asks to wait: Retry-After, or the Hub's `RateLimit: "api";r=0;t=55`. */
function retryAfterOf(headers: Headers): number | null {
  const after = headers['retry-after']
  if (after !== undefined) {
    if (/^\d+$/.test(after)) return 1000 * Number(after)
    const date = Date.parse(after)
    return Number.isNaN(date) ? null : Math.max(0, date - Date.now())
  }
  const reset = /\br=0;\s*t=(\d+)/.exec(headers.ratelimit ?? '')?.[1]
  return reset === undefined ? null : 1000 * Number(reset)
}

/** A header's number; null if it holds none. */
export function wholeNumberOf(value: string | undefined): number | null {
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : null
}
