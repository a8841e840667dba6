import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { LayerpruneError, UsageError } from '../../base/errors.js'

/** How the Hub is reached, by the environment variables that Python's huggingface_hub reads. */
export interface HubSettings {
  /** Without a slash at its end, and without name and password. */
  endpoint: string
  /** `name:password` of the endpoint in base64, if it has them; sent to its own origin only. */
  credentials: string | undefined
  /** Sent to the endpoint's own origin only. */
  token: string | undefined
  /** Where the token was found, for messages. */
  tokenSource: string | undefined
  /** Holds `models--ORG--NAME` folders. */
  cacheFolder: string
  /** What layerprune derives from models and keeps for the next run, beside the Hub's cache. */
  layerpruneFolder: string
  /** No requests are allowed. */
  offline: boolean
  /** Milliseconds without a byte, or with next to none, after which a connection counts as lost. */
  stallMs: number
  /** Milliseconds without progress after which a failing request is given up. */
  retryMs: number
  useLinks: boolean
}

const DEFAULT_ENDPOINT = 'https://huggingface.co'
const DEFAULT_STALL_SECONDS = 10
const DEFAULT_RETRY_SECONDS = 120

type Environment = Record<string, string | undefined>

/**
 * Reads HF_ENDPOINT, HF_TOKEN (or HUGGING_FACE_HUB_TOKEN, or the file that `hf auth login` writes), HF_HOME,
 * HF_HUB_CACHE, HF_HUB_OFFLINE, HF_HUB_DOWNLOAD_TIMEOUT and HF_HUB_DISABLE_SYMLINKS as Python does, and
 * LAYERPRUNE_RETRY_SECONDS.
 * @throws UsageError if one of them is invalid
 */
export function readHubSettings(environment: Environment = process.env): HubSettings {
  const value = (...names: string[]) => names.map((name) => environment[name]).find(Boolean)
  const cacheHome = value('XDG_CACHE_HOME') ?? join(homedir(), '.cache')
  const home = expand(value('HF_HOME') ?? join(cacheHome, 'huggingface'), environment)
  const [token, tokenSource] = findToken(environment, home)
  return {
    ...readEndpoint(value('HF_ENDPOINT')),
    token,
    tokenSource,
    cacheFolder: expand(value('HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE') ?? join(home, 'hub'), environment),
    layerpruneFolder: join(home, 'layerprune'),
    offline: isTrue(value('HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE')),
    stallMs: 1000 * readSeconds(environment, 'HF_HUB_DOWNLOAD_TIMEOUT', DEFAULT_STALL_SECONDS, 0.1),
    retryMs: 1000 * readSeconds(environment, 'LAYERPRUNE_RETRY_SECONDS', DEFAULT_RETRY_SECONDS, 0),
    useLinks: !isTrue(value('HF_HUB_DISABLE_SYMLINKS')),
  }
}

function readEndpoint(value = DEFAULT_ENDPOINT): Pick<HubSettings, 'endpoint' | 'credentials'> {
  // nothing before the last @ is shown: it may be a password
  const shown = value.slice(value.lastIndexOf('@') + 1)
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`HF_ENDPOINT: expected a web address, found ${JSON.stringify(shown)}`)
  }
  const { username, password } = url
  if (username === '' && password === '') return { endpoint: value.replace(/\/+$/, ''), credentials: undefined }
  url.username = ''
  url.password = ''
  return {
    endpoint: url.href.replace(/\/+$/, ''),
    credentials: Buffer.from(`${decode(username)}:${decode(password)}`).toString('base64'),
  }
}

/** A part of an address; unchanged if its %-escapes are broken. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function findToken(environment: Environment, home: string): [string | undefined, string | undefined] {
  for (const name of ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN']) {
    const token = cleanToken(environment[name], name)
    if (token) return [token, name]
  }
  const path = environment.HF_TOKEN_PATH ? expand(environment.HF_TOKEN_PATH, environment) : join(home, 'token')
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return [undefined, undefined]
    throw new LayerpruneError(`the Hub's token in ${path} cannot be read: ${code}`, { cause })
  }
  const token = cleanToken(text, path)
  return token ? [token, path] : [undefined, undefined]
}

function cleanToken(value: string | undefined, source: string): string | undefined {
  const token = value?.replace(/[\r\n]/g, '').trim()
  if (token && !/^[\x21-\x7e]+$/.test(token)) {
    throw new UsageError(`the token in ${source} holds spaces or other characters that a token cannot have`)
  }
  return token || undefined
}

function readSeconds(environment: Environment, name: string, otherwise: number, minimum: number): number {
  const value = environment[name]
  if (!value) return otherwise
  const seconds = Number(value)
  if (Number.isFinite(seconds) && seconds >= minimum) return seconds
  throw new UsageError(`${name}: expected seconds, at least ${minimum}, found ${JSON.stringify(value)}`)
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && ['1', 'ON', 'YES', 'TRUE'].includes(value.toUpperCase())
}

/** Expands `~` and variables as a shell does. */
function expand(path: string, environment: Environment): string {
  return path
    .replace(/^~(?=$|[/\\])/, homedir())
    .replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced, bare) => environment[braced ?? bare] ?? whole)
}
