import { LayerpruneError } from '../../../base/errors.js'

/** A pattern of file names, as Python's fsspec and datasets understand them. */
export interface FilePattern {
  /** Folder that contains every match, directly or deeper; '' for the top. */
  folder: string
  /** The file, if the pattern names one; null if it describes several. */
  file: string | null
  /** Whether every match is in the folder itself. */
  isFlat: boolean
  matches(path: string): boolean
  /** Whether a match can be in or below a folder. */
  reaches(folder: string): boolean
}

const MAGIC = /[*?[]/
const SURROGATE = /[\ud800-\udfff]/
/** Limits the time that a match takes. */
const MAX_PATTERN_LENGTH = 1024
/** Matched by no pattern unless the pattern ends in their name. */
const IGNORED = new Set([
  'README.md',
  'config.json',
  'dataset_info.json',
  'dataset_infos.json',
  'dummy_data.zip',
  'dataset_dict.json',
])

/**
 * Reads a pattern: `*` and `?` match characters other than `/`, `[...]` one of a class, `**` alone between
 * slashes any number of folders. Hidden files and folders, and folders whose names begin with `__`, match only
 * if the pattern spells out their dot or underscores.
 * A match takes time proportional to the length of the pattern times that of the path, whatever they are.
 * @throws LayerpruneError if it is too long, or has `**` within a name, which fsspec refuses too
 */
export function parsePattern(pattern: string): FilePattern {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw new LayerpruneError(
      `a pattern of data files has ${pattern.length} characters, expected at most ${MAX_PATTERN_LENGTH}`,
    )
  }
  const parts = pattern.split('/').filter((part) => part !== '' && part !== '.')
  const mixed = parts.find((part) => part !== '**' && part.includes('**'))
  if (mixed !== undefined) {
    throw new LayerpruneError(`pattern ${pattern}: expected ** alone between slashes, found ${mixed}`)
  }
  const firstMagic = parts.findIndex((part) => MAGIC.test(part))
  return firstMagic === -1 ? parseFile(parts) : parseMagic(parts, firstMagic)
}

function parseFile(parts: string[]): FilePattern {
  const path = parts.join('/')
  return {
    folder: parts.slice(0, -1).join('/'),
    file: path,
    isFlat: true,
    matches: (candidate) => candidate === path,
    reaches: () => false,
  }
}

function parseMagic(parts: string[], firstMagic: number): FilePattern {
  const name = parts.at(-1)!
  const names = parts.map((part) => (part === '**' ? ANY : makeNameTest(part)))
  // at the end it matches the file too
  if (name === '**') names.push(() => true)
  const anyDepth = parts.indexOf('**')
  const fixed = names.slice(0, anyDepth === -1 ? parts.length - 1 : anyDepth) as Test<string>[]
  const hidden = countHidden(parts)
  const privates = countPrivate(parts)
  return {
    folder: parts.slice(0, firstMagic).join('/'),
    file: null,
    isFlat: firstMagic === parts.length - 1 && name !== '**',
    matches(path) {
      const found = path.split('/')
      const base = found.at(-1)!
      return (
        matchesInOrder(names, found) &&
        (base === name || !IGNORED.has(base)) &&
        countHidden(found) === hidden &&
        countPrivate(found) === privates
      )
    },
    reaches(folder) {
      const found = folder.split('/')
      if (anyDepth === -1 && found.length > fixed.length) return false
      return found.slice(0, fixed.length).every((part, i) => fixed[i]!(part))
    },
  }
}

/** Matches any number of items. */
const ANY = Symbol('any')
type Test<T> = (item: T) => boolean

/** Whether items pass tests one by one, with any number at each ANY. Retrying the latest ANY is enough. */
function matchesInOrder<T>(tests: (Test<T> | typeof ANY)[], items: ArrayLike<T>): boolean {
  let test = 0
  let item = 0
  let latestAny = -1
  let resumeAt = 0
  while (item < items.length) {
    const current = tests[test]
    if (current === ANY) {
      latestAny = test++
      resumeAt = item
    } else if (current?.(items[item]!)) {
      test++
      item++
    } else {
      if (latestAny === -1) return false
      test = latestAny + 1
      item = ++resumeAt
    }
  }
  while (tests[test] === ANY) test++
  return test === tests.length
}

/** A test of a name, by code points as Python compares them. */
function makeNameTest(part: string): Test<string> {
  if (!MAGIC.test(part)) return (name) => name === part
  const { tests, longestText } = parseName(Array.from(part))
  return (name) => name.includes(longestText) && matchesInOrder(tests, SURROGATE.test(name) ? Array.from(name) : name)
}

/** @returns also the longest text that a name must contain, to rule out most names quickly */
function parseName(characters: string[]): { tests: (Test<string> | typeof ANY)[]; longestText: string } {
  const tests: (Test<string> | typeof ANY)[] = []
  const texts = ['']
  let position = 0
  while (position < characters.length) {
    const character = characters[position++]!
    const end = character === '[' ? findClassEnd(characters, position) : -1
    if (end === -1 && character !== '*' && character !== '?') {
      tests.push((found) => found === character)
      texts.push(texts.pop() + character)
      continue
    }
    texts.push('')
    if (end !== -1) {
      tests.push(makeClassTest(characters.slice(position, end)))
      position = end + 1
    } else tests.push(character === '*' ? ANY : () => true)
  }
  return { tests, longestText: texts.reduce((a, b) => (b.length > a.length ? b : a)) }
}

/** Position of the `]` that ends a class; a `]` in first place is literal. -1 if there is none. */
function findClassEnd(characters: string[], start: number): number {
  const first = characters[start] === '!' ? start + 1 : start
  return characters.indexOf(']', first + 1)
}

/** A `-` is literal at either end of a class, and makes a range elsewhere; a backward range is empty. */
function makeClassTest(members: string[]): Test<string> {
  const isNegated = members[0] === '!'
  const ranges: [first: number, last: number][] = []
  for (let i = isNegated ? 1 : 0; i < members.length; i++) {
    const isRange = members[i + 1] === '-' && i + 2 < members.length
    const last = isRange ? i + 2 : i
    ranges.push([codeOf(members[i]!), codeOf(members[last]!)])
    i = last
  }
  return (found) => {
    const code = codeOf(found)
    return ranges.some(([first, last]) => first <= code && code <= last) !== isNegated
  }
}

function codeOf(character: string): number {
  return character.codePointAt(0)!
}

function countHidden(parts: string[]): number {
  return parts.filter((part) => part.startsWith('.') && !/^\.+$/.test(part)).length
}

function countPrivate(parts: string[]): number {
  return parts.slice(0, -1).filter((part) => part.startsWith('__')).length
}
