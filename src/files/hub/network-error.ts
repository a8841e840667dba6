import { LayerpruneError } from '../../base/errors.js'
import { TransientError } from './retry.js'

const WORDS: Record<string, string> = {
  ENOTFOUND: 'its name cannot be resolved',
  EAI_AGAIN: 'its name cannot be resolved',
  ECONNREFUSED: 'the connection is refused',
  EHOSTUNREACH: 'the host is unreachable',
  ENETUNREACH: 'the network is unreachable',
  ECONNRESET: 'the connection was lost',
  UND_ERR_SOCKET: 'the connection was lost',
  UND_ERR_ABORTED: 'the connection was lost',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  UND_ERR_HEADERS_OVERFLOW: 'its headers are too long',
  UND_ERR_BODY_TIMEOUT: 'the answer stalled',
}
/** Failures of a machine without a network, which come at once. */
const UNCONNECTED = new Set(['ENOTFOUND', 'EAI_AGAIN', 'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH'])
/** Failures to connect: behind a proxy, it is the proxy that was not reached. */
const CONNECTING = new Set([...UNCONNECTED, 'UND_ERR_CONNECT_TIMEOUT'])

/**
 * The error for a failed connection. It may pass, unless it concerns the identity of the server or what a proxy allows.
 * @param proxy  address of the proxy that the request went through; '' if there was none
 */
export function networkError(cause: unknown, url: string, proxy: string): TransientError | LayerpruneError {
  const { code = '', message } = cause as NodeJS.ErrnoException
  const { host } = new URL(url)
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)) {
    return new LayerpruneError(`${host}: its certificate is not trusted (${code})`, {
      hint: 'a proxy may be in between: name its certificate with NODE_EXTRA_CA_CERTS=file.pem',
      cause,
    })
  }
  // undici gives the status in its message only
  const refused = /^Proxy response \((\d+)\)/.exec(message)?.[1]
  if (refused !== undefined) return explainProxyRefusal(Number(refused), host, proxy, cause)
  const blamed = proxy !== '' && CONNECTING.has(code) ? `the proxy ${new URL(proxy).host}` : host
  const isUnconnected = UNCONNECTED.has(code)
  return new TransientError(`${blamed}: ${WORDS[code] ?? (code || message)}`, { isUnconnected, cause })
}

function explainProxyRefusal(status: number, host: string, proxy: string, cause: unknown) {
  const message = `the proxy ${new URL(proxy).host} answers ${status} when asked to connect to ${host}`
  if (status === 407) {
    return new LayerpruneError(message, {
      hint: 'put name and password into the address of the proxy: HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT',
      cause,
    })
  }
  if (status >= 400 && status < 500) {
    return new LayerpruneError(message, {
      hint: `if ${host} can be reached without the proxy, name it in NO_PROXY`,
      cause,
    })
  }
  return new TransientError(message, { cause })
}
