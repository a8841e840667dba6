import { LimitedProcess } from './limited-process.js'

export interface YamlRequest {
  text: string
  /** Whether a key that a mapping has twice is an error; the last one counts otherwise. */
  uniqueKeys: boolean
}

export interface ParsedYaml {
  /** Undefined if there are errors. */
  value: unknown
  errors: string[]
  /** Such as tags that are not known. */
  warnings: string[]
}

const parser = new LimitedProcess<YamlRequest, ParsedYaml>('base/yaml-worker.js')

/**
 * Parses a stranger's YAML, version 1.2.
 * @param what  the file, for messages
 * @throws LayerpruneError if it cannot be parsed within limits of time, memory, depth and aliases
 */
export function readYaml(text: string, what: string, { uniqueKeys = true } = {}): Promise<ParsedYaml> {
  return parser.ask({ text, uniqueKeys }, { what })
}
