import { FAMILY_NAMES, MADE_NAMES, READ_VERSION, SHARED_NAMES } from './read-keys.js'

/** What the list of names can hold: others, as with a dot, are not looked for. */
const KEY = /^[a-z_][A-Za-z0-9_]*$/

let shared: Set<string> | undefined

/**
 * Makes a test of whether transformers' own code of a family never reads a key, whatever its value. No key passes if
 * the family's code is not known: transformers does not have it, the config brings its own, or a newer version saved it.
 * @param config the whole content of config.json
 */
export function findNeverRead(family: string, config: Record<string, unknown>): (key: string) => boolean {
  const names = Object.hasOwn(FAMILY_NAMES, family) ? FAMILY_NAMES[family] : undefined
  if (
    names === undefined ||
    config.auto_map !== undefined ||
    !isOfKnownVersion(config.transformers_version)
  ) {
    return () => false
  }
  return (key) => {
    shared ??= new Set(split(SHARED_NAMES))
    const isRead = shared.has(key) || split(names).includes(key) || MADE_NAMES.some((name) => name.test(key))
    return KEY.test(key) && !isRead
  }
}

function isOfKnownVersion(version: unknown): boolean {
  if (version === undefined || version === null) return true
  const [, major, minor] = /^(\d+)\.(\d+)(\.|$)/.exec(String(version)) ?? []
  if (major === undefined || minor === undefined) return false
  const [readMajor, readMinor] = READ_VERSION.split('.').map(Number)
  return Number(major) < readMajor! || (Number(major) === readMajor && Number(minor) <= readMinor!)
}

function split(names: string): string[] {
  return names.trim().split(/\s+/)
}
