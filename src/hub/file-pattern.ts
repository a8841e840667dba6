/** A pattern of file names, as Python's fsspec and datasets understand them. */
export interface FilePattern {
  /** Folder that every match lies in or below; '' for the top. */
  folder: string
  /** The file, where it names one; null where it describes several. */
  file: string | null
  /** Whether every match lies in the folder itself. */
  isFlat: boolean
  matches(path: string): boolean
  /** Whether a match can lie in or below a folder. */
  reaches(folder: string): boolean
}

const MAGIC = /[*?[]/
/** Described by no pattern unless it ends in their name. */
const IGNORED = new Set([
  'README.md',
  'config.json',
  'dataset_info.json',
  'dataset_infos.json',
  'dummy_data.zip',
  'dataset_dict.json',
])

/**
 * Reads a pattern: `*` and `?` stand for characters other than `/`, `[...]` for one of a class, `**` alone between
 * slashes for any number of folders. Hidden files and folders, and folders whose names begin with `__`, match only
 * where the pattern writes their dot or underscores out.
 */
export function parsePattern(pattern: string): FilePattern {
  const parts = pattern.split('/').filter((part) => part !== '' && part !== '.')
  const firstMagic = parts.findIndex((part) => MAGIC.test(part))
  if (firstMagic === -1) {
    const path = parts.join('/')
    return {
      folder: parts.slice(0, -1).join('/'),
      file: path,
      isFlat: true,
      matches: (candidate) => candidate === path,
      reaches: () => false,
    }
  }
  const regex = new RegExp(`^${toRegex(parts)}$`, 'su')
  const name = parts.at(-1)!
  return {
    folder: parts.slice(0, firstMagic).join('/'),
    file: null,
    isFlat: firstMagic === parts.length - 1 && name !== '**',
    matches(path) {
      const base = path.slice(path.lastIndexOf('/') + 1)
      return (
        regex.test(path) &&
        (base === name || !IGNORED.has(base)) &&
        countHidden(path.split('/')) === countHidden(parts) &&
        countPrivate(path.split('/')) === countPrivate(parts)
      )
    },
    reaches(folder) {
      const names = folder.split('/')
      const anyDepth = parts.indexOf('**')
      const compared = anyDepth === -1 ? parts.slice(0, -1) : parts.slice(0, anyDepth)
      if (anyDepth === -1 && names.length > compared.length) return false
      return names
        .slice(0, compared.length)
        .every((part, i) => new RegExp(`^${partToRegex(compared[i]!)}$`, 'su').test(part))
    },
  }
}

function toRegex(parts: string[]): string {
  return parts
    .map((part, i) => {
      const isLast = i === parts.length - 1
      if (part === '**') return isLast ? '.+' : '(?:.+/)?'
      return partToRegex(part) + (isLast ? '' : '/')
    })
    .join('')
}

function partToRegex(part: string): string {
  return part.replace(/\[(!?)([^\]]+)\]|\*+|\?|[^*?[]+|\[/g, (token, negation, members) => {
    if (members !== undefined) return `[${negation ? '^' : ''}${escapeClass(members)}]`
    if (token.startsWith('*')) return '[^/]*'
    if (token === '?') return '[^/]'
    return token.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
  })
}

/** A `-` at either end of a class stands for itself, elsewhere for a range. */
function escapeClass(members: string): string {
  return members
    .replace(/[\\^[\]]/g, '\\$&')
    .replace(/^-/, '\\-')
    .replace(/-$/, '\\-')
}

function countHidden(parts: string[]): number {
  return parts.filter((part) => part.startsWith('.') && !/^\.+$/.test(part)).length
}

function countPrivate(parts: string[]): number {
  return parts.slice(0, -1).filter((part) => part.startsWith('__')).length
}
