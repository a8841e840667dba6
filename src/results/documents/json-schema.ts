import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { formatQuantity } from '../../base/format-numbers.js'
import { isObject } from '../../base/is-object.js'
import { packageFile } from '../../base/package-file.js'
import type { SchemaName } from './schemas.js'

/** The keywords that the files of `schemas` use, those aside that state nothing about a value. */
interface Schema {
  $ref?: string
  $defs?: Record<string, Schema>
  type?: string | string[]
  const?: unknown
  enum?: unknown[]
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  pattern?: string
  minItems?: number
  maxItems?: number
  items?: Schema
  minProperties?: number
  required?: string[]
  properties?: Record<string, Schema>
  additionalProperties?: Schema
  propertyNames?: Schema
  anyOf?: Schema[]
  if?: Schema
  then?: Schema
}

interface Problem {
  /** JSON pointer; empty for the whole document. */
  place: string
  /** After "must". */
  expected: string
  found: unknown
}

/** @returns the first problem of the value at the place; undefined if there is none */
type Check = (value: unknown, place: string) => Problem | undefined

/** Keywords without a check of their own; `then` is part of `if`. */
const UNCHECKED = ['$schema', '$id', '$defs', 'title', 'description', 'then']

/** The first mismatch between a JSON value and its schema, with its JSON pointer and value; null if there is none. */
export function findSchemaProblem(name: SchemaName, value: unknown): string | null {
  const schema = readSchema(name)
  const problem = makeCheck(schema, schema)(value, '')
  return problem === undefined ? null : describeProblem(problem)
}

function readSchema(name: string): Schema {
  return JSON.parse(readFileSync(packageFile(`schemas/${name}.json`), 'utf8'))
}

function describeProblem({ place, expected, found }: Problem): string {
  const isShort = found === null || ['number', 'boolean', 'string'].includes(typeof found)
  return `${place === '' ? 'the document' : place} must ${expected}${isShort ? `, found ${JSON.stringify(found)}` : ''}`
}

/** Makes the checks of a schema's keywords, in the order in which a reader would want their problems. */
function makeCheck(schema: Schema, root: Schema): Check {
  const keywords = Object.keys(schema).filter((keyword) => !UNCHECKED.includes(keyword))
  const unknown = keywords.find((keyword) => !(keyword in KEYWORDS))
  if (unknown !== undefined) throw new Error(`the keyword ${unknown} of a schema is not supported`)
  const checks = Object.entries(KEYWORDS)
    .filter(([keyword]) => keyword in schema)
    .map(([, make]) => make(schema, root))
  return (value, place) => firstOf(checks, (check) => check(value, place))
}

/** A keyword's check, of values of a kind; others pass. */
function whether<T>(isKind: (value: unknown) => value is T, expected: string, isRight: (value: T) => boolean): Check {
  return (value, place) => (isKind(value) && !isRight(value) ? { place, expected, found: value } : undefined)
}

const isNumber = (value: unknown) => typeof value === 'number'
const isString = (value: unknown) => typeof value === 'string'
const isAny = (_: unknown): _ is unknown => true
const isList: (value: unknown) => value is unknown[] = Array.isArray

/** The check for each keyword, in the order in which they run. */
const KEYWORDS: Record<string, (schema: Schema, root: Schema) => Check> = {
  $ref: ({ $ref }, root) => followReference($ref!, root),
  type: ({ type }) => {
    const types = [type!].flat()
    return whether(isAny, `be ${types.join(' or ')}`, (value) => types.some((type) => isOfType(value, type)))
  },
  const: (schema) =>
    whether(isAny, `be equal to ${JSON.stringify(schema.const)}`, (value) => isDeepStrictEqual(value, schema.const)),
  enum: (schema) => whether(isAny, `be one of ${schema.enum!.join(', ')}`, (value) => schema.enum!.includes(value)),
  minimum: ({ minimum }) => whether(isNumber, `be >= ${minimum}`, (value) => value >= minimum!),
  maximum: ({ maximum }) => whether(isNumber, `be <= ${maximum}`, (value) => value <= maximum!),
  exclusiveMinimum: ({ exclusiveMinimum: bound }) => whether(isNumber, `be > ${bound}`, (value) => value > bound!),
  pattern: ({ pattern }) => {
    const form = new RegExp(pattern!, 'u')
    return whether(isString, `match ${pattern}`, (value) => form.test(value))
  },
  minItems: ({ minItems: least }) =>
    whether(isList, `have at least ${formatQuantity(least!, 'item')}`, ({ length }) => length >= least!),
  maxItems: ({ maxItems: most }) =>
    whether(isList, `have at most ${formatQuantity(most!, 'item')}`, ({ length }) => length <= most!),
  items: ({ items }, root) => {
    const check = makeCheck(items!, root)
    return (value, place) =>
      isList(value) ? firstOf(value, (item, index) => check(item, `${place}/${index}`)) : undefined
  },
  minProperties: ({ minProperties: least }) =>
    whether(
      isObject,
      `have at least ${formatQuantity(least!, 'property', 'properties')}`,
      (value) => Object.keys(value).length >= least!,
    ),
  required:
    ({ required }) =>
    (value, place) => {
      const missing = isObject(value) && required!.find((key) => !Object.hasOwn(value, key))
      return missing ? { place, expected: `have required property '${missing}'`, found: value } : undefined
    },
  propertyNames: ({ propertyNames }, root) => {
    const check = makeCheck(propertyNames!, root)
    return checkEntries((place, key) => check(key, `the name of ${place}`))
  },
  properties: ({ properties }, root) => {
    const checks = new Map(Object.entries(properties!).map(([key, schema]) => [key, makeCheck(schema, root)]))
    return checkEntries((place, key, value) => checks.get(key)?.(value, place))
  },
  additionalProperties: ({ additionalProperties, properties = {} }, root) => {
    const check = makeCheck(additionalProperties!, root)
    return checkEntries((place, key, value) => (Object.hasOwn(properties, key) ? undefined : check(value, place)))
  },
  anyOf: ({ anyOf }, root) => checkAlternatives(anyOf!.map((schema) => makeCheck(schema, root))),
  if: (schema, root) => {
    const [condition, consequence] = [makeCheck(schema.if!, root), makeCheck(schema.then!, root)]
    return (value, place) => (condition(value, place) ? undefined : consequence(value, place))
  },
}

/** Made when it is first used: a schema can hold itself. */
function followReference(reference: string, root: Schema): Check {
  let check: Check | undefined
  return (value, place) => {
    check ??= resolve(reference, root)
    return check(value, place)
  }
}

function resolve(reference: string, root: Schema): Check {
  const [, other, part] = /^(?:urn:layerprune:(\w+):1)?(?:#\/\$defs\/(\w+))?$/.exec(reference)!
  const schema = other === undefined ? root : readSchema(other)
  return makeCheck(part === undefined ? schema : schema.$defs![part]!, schema)
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'null') return value === null
  if (type === 'array') return isList(value)
  if (type === 'object') return isObject(value)
  return type === 'integer' ? Number.isInteger(value) : typeof value === type
}

function checkEntries(check: (place: string, key: string, value: unknown) => Problem | undefined): Check {
  return (value, place) =>
    isObject(value)
      ? firstOf(Object.entries(value), ([key, item]) => check(`${place}/${escapePointer(key)}`, key, item))
      : undefined
}

/** Reports the deepest problem among the alternatives: its alternative is the likely intent. */
function checkAlternatives(checks: Check[]): Check {
  return (value, place) => {
    const problems = checks.map((check) => check(value, place))
    if (problems.some((problem) => problem === undefined)) return undefined
    const found = problems as Problem[]
    const deeper = found.filter((problem) => problem.place.length > place.length)
    if (deeper.length > 0) return deeper.reduce((a, b) => (b.place.length > a.place.length ? b : a))
    return { place, expected: [...new Set(found.map(({ expected }) => expected))].join(' or '), found: value }
  }
}

function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}

function firstOf<T, R>(items: T[], find: (item: T, index: number) => R | undefined): R | undefined {
  for (const [index, item] of items.entries()) {
    const found = find(item, index)
    if (found !== undefined) return found
  }
  return undefined
}
