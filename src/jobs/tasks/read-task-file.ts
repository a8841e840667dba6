import { dirname, isAbsolute, join, resolve } from 'node:path'
import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'
import { readText } from '../../base/read-text.js'
import { readYaml } from '../../base/read-yaml.js'

type Config = Record<string, unknown>

/** Bytes of a file, and files of a task: more than any that is meant well. */
const MOST_BYTES = 1 << 22
const MOST_FILES = 100

/**
 * Reads the keys of a task from its YAML file. Those of the files that it includes come first, in their order, and its
 * own replace them, as in lm-evaluation-harness; the names of included files are relative to the file that names them.
 * @throws LayerpruneError if a file cannot be read, has what is not understood, or includes itself
 */
export function readTaskFile(path: string): Promise<Config> {
  return new TaskFileReader().read(path, [])
}

class TaskFileReader {
  /** The keys of each file with those that it includes: a file is read once, however often it is included. */
  readonly #read = new Map<string, Config>()

  /** @param including  paths of the files that led here */
  async read(path: string, including: string[]): Promise<Config> {
    const resolved = resolve(path)
    if (including.includes(resolved)) throw new LayerpruneError(`${path}: the file includes itself`)
    const known = this.#read.get(resolved)
    if (known !== undefined) return known
    const from = [...including, resolved]
    if (this.#read.size + from.length > MOST_FILES) {
      throw new LayerpruneError(`${from[0]} includes more than ${MOST_FILES - 1} files`)
    }
    const { include, ...own } = await readKeys(path, including.at(-1))
    let config: Config = {}
    for (const name of include === undefined ? [] : [include].flat()) {
      if (typeof name !== 'string') {
        throw new LayerpruneError(`${path}: include must name files, found ${JSON.stringify(name)}`)
      }
      const { task_list: _, ...keys } = await this.read(isAbsolute(name) ? name : join(dirname(path), name), from)
      config = { ...config, ...keys }
    }
    const whole = { ...config, ...own }
    this.#read.set(resolved, whole)
    return whole
  }
}

async function readKeys(path: string, includedBy: string | undefined): Promise<Config> {
  const text = await readText(path, MOST_BYTES)
  if (text === undefined) {
    const by = includedBy === undefined ? '' : `, which ${includedBy} includes,`
    throw new LayerpruneError(`the task file ${path}${by} cannot be read: no such file`)
  }
  const { value, errors, warnings } = await readYaml(text, path)
  const [problem] = [...errors, ...warnings]
  if (problem !== undefined) {
    const [tag] = /![\w:]+/.exec(problem) ?? []
    throw new LayerpruneError(
      `${path}: ${tag === undefined ? problem : `the tag ${tag} is not understood`}`,
      tag === '!function' ? { hint: 'no code is run: write the rule as a Jinja template' } : {},
    )
  }
  if (!isObject(value)) throw new LayerpruneError(`${path}: expected the keys of a task, found none`)
  return value
}
