import { readFile } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { parseDocument } from 'yaml'
import { LayerpruneError } from '../../base/errors.js'
import { isObject } from '../../base/is-object.js'

type Config = Record<string, unknown>

/**
 * Reads the keys of a task from its YAML file. Those of the files that it includes come first, in their order, and its
 * own replace them, as in lm-evaluation-harness; the names of included files are relative to the file that names them.
 * @throws LayerpruneError if a file cannot be read, has what is not understood, or includes itself
 */
export function readTaskFile(path: string): Promise<Config> {
  return readIncluding(path, [])
}

/** @param including  paths of the files that led here */
async function readIncluding(path: string, including: string[]): Promise<Config> {
  const resolved = resolve(path)
  if (including.includes(resolved)) throw new LayerpruneError(`${path}: the file includes itself`)
  const { include, ...own } = await readKeys(path, including.at(-1))
  let config: Config = {}
  for (const name of include === undefined ? [] : [include].flat()) {
    if (typeof name !== 'string') {
      throw new LayerpruneError(`${path}: include must name files, found ${JSON.stringify(name)}`)
    }
    const included = isAbsolute(name) ? name : join(dirname(path), name)
    const { task_list: _, ...keys } = await readIncluding(included, [...including, resolved])
    config = { ...config, ...keys }
  }
  return { ...config, ...own }
}

async function readKeys(path: string, includedBy: string | undefined): Promise<Config> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const by = includedBy === undefined ? '' : `, which ${includedBy} includes,`
    throw new LayerpruneError(`the task file ${path}${by} cannot be read: ${cause.code}`, { cause })
  })
  const document = parseDocument(text)
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined) {
    const [tag] = /![\w:]+/.exec(problem.message) ?? []
    const reason = tag === undefined ? problem.message.split('\n')[0] : `the tag ${tag} is not understood`
    throw new LayerpruneError(`${path}: ${reason}`, {
      ...(tag === '!function' ? { hint: 'no code is run: write the rule as a Jinja template' } : {}),
      cause: problem,
    })
  }
  const config: unknown = document.toJS()
  if (!isObject(config)) throw new LayerpruneError(`${path}: expected the keys of a task, found none`)
  return config
}
