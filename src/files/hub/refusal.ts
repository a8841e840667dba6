import { LayerpruneError } from '../../base/errors.js'
import { pageOf, type Repo } from './repo.js'
import { UnreachableError } from './retry.js'
import type { HubSettings } from './settings.js'

/** The Hub has no such repository, or hides it from the caller. */
class RepoNotFoundError extends LayerpruneError {
  override name = 'RepoNotFoundError'
}

/** The repository exists, but the file or the part of the API does not. */
export class EntryNotFoundError extends LayerpruneError {
  override name = 'EntryNotFoundError'
}

/**
 * The error for a name that is nothing on this machine, if the Hub has no such repository either or cannot be reached.
 * @param here  what the name is not, for the message
 * @returns any other failure as it is
 */
export function explainMissing(cause: unknown, here: string): unknown {
  if (!(cause instanceof RepoNotFoundError || cause instanceof UnreachableError)) return cause
  const { message, hint } = cause
  const joint = cause instanceof RepoNotFoundError ? 'and' : 'and the Hub cannot be reached:'
  return new LayerpruneError(`${here}, ${joint} ${message}`, {
    ...(hint === undefined ? {} : { hint }),
    cause,
  })
}

/** The error for a refusal of `what`, such as `config.json of model org/name`, with the user's next step. */
export function explainRefusal(
  { status, headers }: { status: number; headers: Record<string, string> },
  { settings, repo, what }: { settings: HubSettings; repo: Repo; what: string },
): LayerpruneError {
  const { endpoint, credentials, token, tokenSource } = settings
  const named = `${repo.type} ${repo.id}`
  const page = pageOf(endpoint, repo)
  const code = headers['x-error-code']
  const said = headers['x-error-message']
  const login = 'log in with `hf auth login` or set HF_TOKEN'
  const isInvalid = said === 'Invalid credentials in Authorization header'
  const isUnexplained = status === 401 && code === undefined
  if (credentials !== undefined && (isInvalid || isUnexplained)) {
    return new LayerpruneError(`${endpoint} refuses the name and password in HF_ENDPOINT`)
  }
  if (isInvalid || (isUnexplained && token)) {
    return new LayerpruneError(`the Hub refuses the token in ${tokenSource}`, {
      hint: 'make a new token in the settings of your account there, or remove it to read public repositories',
    })
  }
  if (code === 'GatedRepo') {
    return new LayerpruneError(`${named} is gated: its licence must be accepted first`, {
      hint:
        token === undefined
          ? `accept it at ${page}, then ${login}`
          : `accept it at ${page} with the account of the token in ${tokenSource}`,
    })
  }
  if (code === 'RevisionNotFound') {
    return new LayerpruneError(`${named} has no revision ${repo.revision}`, {
      hint: `its branches and tags are at ${page}/tree/main`,
    })
  }
  if (code === 'EntryNotFound') return new EntryNotFoundError(`${what} is not there`)
  if (code === 'RepoNotFound' || status === 401 || (status === 404 && code === undefined)) {
    return new RepoNotFoundError(
      `the Hub has no ${named}${token === undefined ? ', or it is private' : ' that the token may see'}`,
      {
        hint:
          token === undefined
            ? `check the name at ${endpoint}; for a private ${repo.type} ${login}`
            : `check the name at ${endpoint}, and that the token in ${tokenSource} has access`,
      },
    )
  }
  if (status === 403) {
    const reason = said === undefined ? '' : `: ${said.slice(0, 200)}`
    return new LayerpruneError(`the Hub refuses access to ${what}${reason}`, {
      hint: token === undefined ? login : `check what the token in ${tokenSource} is allowed to read`,
    })
  }
  return new LayerpruneError(`${what}: the server answers ${status}${said ? `: ${said.slice(0, 200)}` : ''}`)
}

/** The error for an unsuccessful answer of a server that is not the Hub. */
export function explainStatus(what: string, status: number): LayerpruneError {
  if (status === 404 || status === 410) {
    return new LayerpruneError(`${what} is not there: the server answers ${status}`, {
      hint: 'check the address',
    })
  }
  if (status === 401 || status === 403) {
    return new LayerpruneError(`${what}: the server refuses access (${status})`, {
      hint: 'a signed address may have expired; otherwise copy the file to this machine and give its path',
    })
  }
  return new LayerpruneError(`${what}: the server answers ${status}`)
}
