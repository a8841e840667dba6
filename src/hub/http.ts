import { getProxyForUrl } from 'proxy-from-env'
import { Agent, type Dispatcher, ProxyAgent, request } from 'undici'
import { LayerpruneError } from '../errors.js'
import { VERSION } from '../version.js'
import { TransientError } from './retry.js'
import type { HubSettings } from './settings.js'

const MAX_REDIRECTS = 8
const CONNECT_TIMEOUT_MS = 10_000
const TRANSIENT_STATUS = new Set([408, 425, 429, 500, 502, 503, 504])

type Headers = Record<string, string>

/** An answer whose body has not been read; who takes it reads the body to its end or destroys it. */
export interface HubResponse {
  status: number
  /** Lower-case names. */
  headers: Headers
  /** What the Hub itself said of the file before it sent the request elsewhere. */
  linked: { sizeBytes: number | null; commit: string | null }
  /** Where the answer came from, after redirects. */
  url: string
  body: Dispatcher.ResponseData['body']
}

/** Sends requests of one run: redirects are followed by hand, so that the token stays at the Hub. */
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
   * @throws TransientError where the network or the server fails in a way that may pass
   * @throws LayerpruneError where redirects lead in circles
   */
  async get(url: string, headers: Headers = {}): Promise<HubResponse> {
    const linked: HubResponse['linked'] = { sizeBytes: null, commit: null }
    const visited = new Set<string>()
    let address = url
    for (;;) {
      if (visited.has(address) || visited.size > MAX_REDIRECTS) {
        throw new LayerpruneError(`${url} redirects in circles`)
      }
      visited.add(address)
      const response = await this.#send(address, headers)
      linked.sizeBytes ??= wholeNumberOf(response.headers['x-linked-size'])
      linked.commit ??= response.headers['x-repo-commit'] ?? null
      const { location } = response.headers
      if (response.status >= 300 && response.status < 400 && location !== undefined) {
        await response.body.dump()
        address = new URL(location, address).href
        continue
      }
      if (TRANSIENT_STATUS.has(response.status)) {
        await response.body.dump()
        throw new TransientError(`${new URL(address).host} answers ${response.status}`, {
          retryAfterMs: retryAfterOf(response.headers),
        })
      }
      return { ...response, linked, url: address }
    }
  }

  /** The token for an address: the Hub's own, to the Hub's own origin only. */
  #authorization(url: string): Headers {
    const { token } = this.settings
    return token !== undefined && new URL(url).origin === this.#origin
      ? { authorization: `Bearer ${token}` }
      : {}
  }

  async #send(url: string, headers: Headers) {
    this.#signal?.throwIfAborted()
    const { stallMs } = this.settings
    try {
      const {
        statusCode,
        headers: answered,
        body,
      } = await request(url, {
        dispatcher: this.#dispatcherFor(url),
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
      })
      this.reached = true
      const flat = Object.entries(answered).map(([name, value]) => [name, [value].flat().join(', ')])
      return { status: statusCode, headers: Object.fromEntries(flat) as Headers, body }
    } catch (cause) {
      this.#signal?.throwIfAborted()
      throw networkError(cause, url)
    }
  }

  #dispatcherFor(url: string): Dispatcher {
    const proxy = getProxyForUrl(url)
    let dispatcher = this.#dispatchers.get(proxy)
    if (!dispatcher) {
      const options = { connect: { timeout: CONNECT_TIMEOUT_MS } }
      dispatcher = proxy === '' ? new Agent(options) : new ProxyAgent({ uri: proxy, ...options })
      this.#dispatchers.set(proxy, dispatcher)
    }
    return dispatcher
  }
}

/** Any failure of a connection, in words: it may pass, unless it is about who the server is. */
export function networkError(cause: unknown, url: string): TransientError | LayerpruneError {
  const { code, message } = cause as NodeJS.ErrnoException
  const { host } = new URL(url)
  if (code !== undefined && /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)) {
    return new LayerpruneError(`${host}: its certificate is not trusted (${code})`, {
      hint: 'a proxy may stand between: name its certificate with NODE_EXTRA_CA_CERTS=file.pem',
      cause,
    })
  }
  const words: Record<string, string> = {
    ENOTFOUND: 'its name cannot be resolved',
    EAI_AGAIN: 'its name cannot be resolved',
    ECONNREFUSED: 'the connection is refused',
    ECONNRESET: 'the connection was lost',
    UND_ERR_SOCKET: 'the connection was lost',
    UND_ERR_ABORTED: 'the connection was lost',
    UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
    UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
    UND_ERR_BODY_TIMEOUT: 'the answer stalled',
  }
  return new TransientError(`${host}: ${(code && words[code]) ?? code ?? message}`, { cause })
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

/** A header's number; null where it holds none. */
export function wholeNumberOf(value: string | undefined): number | null {
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : null
}
