/** A repository of the Hub at a revision. */
export interface Repo {
  type: 'model' | 'dataset'
  /** `org/name`, or the bare name of an old one. */
  id: string
  /** Branch, tag or commit. */
  revision: string
}

export const DEFAULT_REVISION = 'main'

/** Whether a name can be a repository's id: `name` or `org/name` of letters, digits, `-`, `_` and `.`. */
export function isRepoId(name: string): boolean {
  return (
    /^(?:[\w-](?:[\w.-]{0,94}[\w-])?\/)?[\w-](?:[\w.-]{0,94}[\w-])?$/.test(name) &&
    !/--|\.\.|\.git$|^-|\/-|-$|-\//.test(name)
  )
}

/** Address of the repository's page, for people. */
export function pageOf(endpoint: string, { type, id }: Repo): string {
  return `${endpoint}/${type === 'dataset' ? 'datasets/' : ''}${id}`
}

/** Address of the API for a repository. */
export function apiOf(endpoint: string, { type, id }: Repo): string {
  return `${endpoint}/api/${type}s/${id}`
}

/** Address of a file; `revision` is a commit or a ref. */
export function fileUrl(endpoint: string, repo: Repo, path: string): string {
  const file = path.split('/').map(encodeURIComponent).join('/')
  return `${pageOf(endpoint, repo)}/resolve/${encodeURIComponent(repo.revision)}/${file}`
}

/** Whether a repository's file name stays inside its folder on any system: relative, without `.`, `..` or drives. */
export function isSafePath(path: string): boolean {
  return (
    path.length > 0 &&
    path.length < 1024 &&
    !/[\\:\p{Cc}]/u.test(path) &&
    path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  )
}
