import { readTable } from '../../../base/read-table.js'

/** Which keys of config.json the code of transformers may read; test/fixtures/make-read-keys.py writes it. */
interface ReadNames {
  /** The version of transformers whose source was read. */
  version: string
  /** Names that the code of all families may read from a config, between spaces. */
  shared: string
  /** Names that only the code of a family may read, by `model_type`. */
  families: Record<string, string>
  /** Sources of regular expressions for names that the code puts together. */
  patterns: string[]
}

/** Form of the names that the list can hold. Other keys, such as those with a dot, may be read. */
const KEY = /^_?[a-z][A-Za-z0-9_]*$/

let common: { names: Set<string>; patterns: RegExp[] } | undefined

export function readNames(): ReadNames {
  return readTable('transformers-names')
}

/**
 * Makes a test of whether transformers' own code of a family never reads a key, whatever its value. No key passes if
 * the family's code is not known: transformers does not have it, the config brings its own, or a newer version saved it.
 * @param config the whole content of config.json
 */
export function findNeverRead(family: string, config: Record<string, unknown>): (key: string) => boolean {
  const { families, version } = readNames()
  const names = Object.hasOwn(families, family) ? families[family] : undefined
  if (
    names === undefined ||
    config.auto_map !== undefined ||
    !isKnownVersion(config.transformers_version, version)
  ) {
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
