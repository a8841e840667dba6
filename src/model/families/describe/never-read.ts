import { readTable } from '../../../base/read-table.js'

/** Keys of config.json that the code of transformers may read; written by test/fixtures/make-read-keys.py. */
interface ReadNames {
  /** The version of transformers whose source was read. */
  version: string
  /** Names that the code of all families may read from a config, between spaces. */
  shared: string
  /** Names that only the code of a family may read, by `model_type`. */
  families: Record<string, string>
  /** Regular expressions for names that the code composes. */
  patterns: string[]
}

/** Form of the names in the list. Other keys, such as those with a dot, count as read. */
const KEY = /^_?[a-z][A-Za-z0-9_]*$/

let common: { names: Set<string>; patterns: RegExp[] } | undefined

export function readNames(): ReadNames {
  return readTable('transformers-names')
}

/**
 * Makes a test of whether transformers' code for a family never reads a key. No key passes if that code is not known:
 * transformers does not have the family, the config brings its own code, or a newer version saved the model.
 * @param config the whole content of config.json
 */
export function findNeverRead(family: string, config: Record<string, unknown>): (key: string) => boolean {
  const { families, version } = readNames()
  const names = Object.hasOwn(families, family) ? families[family] : undefined
  if (names === undefined || config.auto_map !== undefined || !isKnownVersion(config.transformers_version, version)) {
    return () => false
  }
  return (key) => {
    if (!KEY.test(key)) return false
    const shared = readCommon()
    return !(
      shared.names.has(key) ||
      split(names).includes(key) ||
      shared.patterns.some((pattern) => pattern.test(key))
    )
  }
}

function readCommon(): { names: Set<string>; patterns: RegExp[] } {
  if (common === undefined) {
    const { shared, patterns } = readNames()
    common = { names: new Set(split(shared)), patterns: patterns.map((source) => new RegExp(source)) }
  }
  return common
}

function isKnownVersion(version: unknown, known: string): boolean {
  if (version === undefined || version === null) return true
  const [, major, minor] = /^(\d+)\.(\d+)(\.|$)/.exec(String(version)) ?? []
  if (major === undefined || minor === undefined) return false
  const [readMajor, readMinor] = known.split('.').map(Number)
  return Number(major) < readMajor! || (Number(major) === readMajor && Number(minor) <= readMinor!)
}

function split(names: string): string[] {
  return names.trim().split(/\s+/)
}
