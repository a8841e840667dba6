import { Environment } from '@huggingface/jinja'
import { LimitedInterpreter } from '../../texts/templates/limited-interpreter.js'
import { parseTemplate } from '../../texts/templates/parse-template.js'
import { FILTERS, METHODS, OPERATORS, UNDEFINED } from './template-functions.js'

/**
 * A template of a task, which turns the fields of a document into a text; one that is a single expression gives the
 * value of the expression, such as a list or a number.
 * @throws Error if a field is missing, or a value is not of the kind that the template needs
 * @throws LimitError if it takes too long
 */
export type Template = (fields: Record<string, unknown>) => unknown

/** A node of the syntax tree: those of the library, whose kind is its `type`. */
interface Node {
  type: string
  [key: string]: unknown
}

interface Wrapped {
  type: string
  value: unknown
}

const STATEMENTS = new Set(['Set', 'If', 'For', 'Comment'])
/** Nodes whose meaning is Python's; operators, filters, methods and tests are checked by name. */
const NODES = new Set([
  ...STATEMENTS,
  ...['Program', 'Identifier', 'MemberExpression', 'SliceExpression', 'CallExpression', 'FilterExpression'],
  ...['BinaryExpression', 'UnaryExpression', 'TestExpression', 'SelectExpression', 'Ternary'],
  ...['StringLiteral', 'IntegerLiteral', 'FloatLiteral', 'ArrayLiteral', 'TupleLiteral'],
])
const NATIVE_OPERATORS = new Set(['and', 'or', 'not', '+', '-', '*', '//', '<', '>', '<=', '>=', 'in', 'not in'])
const TESTS = new Set(['defined', 'undefined', 'none'])
const CONSTANTS = { true: true, false: false, none: null, True: true, False: false, None: null }

/**
 * Compiles a Jinja template. The library was made for chat templates, and is lenient where Python is strict and
 * different where Python has methods of its own: what could differ is replaced by functions that do as Python does, or
 * refused.
 * @throws Error if it is malformed or uses what is not understood, by its name
 */
export function compileTemplate(source: string): Template {
  // the library takes one final newline away, which lm-evaluation-harness keeps
  const parsed = parseTemplate(source.endsWith('\n') ? `${source}\n` : source) as unknown as Node
  const program = rewrite(parsed) as Node
  const [only, ...others] = program.body as Node[]
  const expression = others.length === 0 && isPrinted(only) ? (only.args as Node[])[0]! : program
  return (fields) => {
    const value = unwrap(new LimitedInterpreter().evaluate(expression, makeEnvironment(fields)))
    if (value === undefined) throw new Error(UNDEFINED)
    return value
  }
}

function makeEnvironment(fields: Record<string, unknown>): Environment {
  const environment = new Environment()
  const wrapping = new Environment()
  const declare = (name: string, value: unknown) => {
    const wrapped = wrapping.set(`${wrapping.variables.size}`, value)
    keepNulls(wrapped)
    environment.setVariable(name, wrapped)
  }
  for (const [name, value] of Object.entries({ ...CONSTANTS, ...fields })) declare(name, value)
  for (const [kind, functions] of Object.entries({ '.': METHODS, '|': FILTERS, '': OPERATORS })) {
    for (const [name, apply] of Object.entries(functions)) {
      declare(`${kind}${name}`, (...values: unknown[]) => apply(...values.map(unwrapInner)))
    }
  }
  return environment
}

/** The library gives its None no value, as it does what is undefined. */
function keepNulls(wrapped: Wrapped): void {
  const { type, value } = wrapped
  if (type === 'NullValue') wrapped.value = null
  else if (Array.isArray(value) || value instanceof Map) for (const inner of value.values()) keepNulls(inner)
}

/** The interpreter unwraps the arguments of a function, and not what is in them. */
function unwrapInner(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => unwrap(item as Wrapped))
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([key, item]) => [key, unwrap(item as Wrapped)]))
  }
  return value
}

function unwrap({ value }: Wrapped): unknown {
  if (typeof value === 'function') throw new Error('a method is named and not called')
  return unwrapInner(value)
}

/** Checks a part of a syntax tree and replaces what the library does in a way of its own. */
function rewrite(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(rewrite)
  if (part === null || typeof part !== 'object' || !('type' in part)) return part
  const node = part as Node
  if (!NODES.has(node.type)) throw new Error(`${node.type} is not understood`)
  switch (node.type) {
    case 'Program':
      return { ...node, body: printAll(node.body) }
    case 'If':
      return { ...rewriteParts(node), body: printAll(node.body), alternate: printAll(node.alternate) }
    case 'For':
      return { ...rewriteParts(node), body: printAll(node.body), defaultBlock: printAll(node.defaultBlock) }
    case 'Set':
      return { ...rewriteParts(node), body: printAll(node.body) }
    case 'CallExpression':
      return rewriteCall(node)
    case 'FilterExpression':
      return rewriteFilter(node)
    case 'BinaryExpression':
      return rewriteOperator(node)
    case 'TestExpression':
      assertKnown('test', nameOf(node.test as Node), TESTS)
  }
  return rewriteParts(node)
}

function rewriteParts(node: Node): Node {
  return Object.fromEntries(Object.entries(node).map(([key, part]) => [key, rewrite(part)])) as Node
}

/** What stands between the statements of a block: texts, and expressions that are printed. */
function printAll(body: unknown): Node[] {
  return (body as Node[]).map((node) => {
    const rewritten = rewrite(node) as Node
    return STATEMENTS.has(node.type) || node.type === 'StringLiteral' ? rewritten : call('{{', [rewritten])
  })
}

function isPrinted(node: Node | undefined): node is Node {
  return node?.type === 'CallExpression' && nameOf(node.callee as Node) === '{{'
}

function rewriteCall({ callee, args }: Node): Node {
  const { type, property, object, computed } = callee as Node
  if (type !== 'MemberExpression' || computed) {
    throw new Error(`${nameOf(callee as Node)}(...) is not understood`)
  }
  const name = nameOf(property as Node)
  assertKnown('method', name, METHODS)
  return call(`.${name}`, rewrite([object, ...(args as Node[])]) as Node[])
}

function rewriteFilter({ operand, filter }: Node): Node {
  const { type, callee, args = [] } = filter as Node
  const name = nameOf((type === 'CallExpression' ? callee : filter) as Node)
  assertKnown('filter', name, FILTERS)
  return call(`|${name}`, rewrite([operand, ...(args as Node[])]) as Node[])
}

function rewriteOperator(node: Node): Node {
  const { value } = node.operator as { value: string }
  if (value in OPERATORS) return call(value, rewrite([node.left, node.right]) as Node[])
  assertKnown('operator', value, NATIVE_OPERATORS)
  return { ...node, left: rewrite(node.left), right: rewrite(node.right) }
}

function call(name: string, args: Node[]): Node {
  return { type: 'CallExpression', callee: { type: 'Identifier', value: name }, args }
}

function nameOf({ type, value }: Node): string {
  return typeof value === 'string' ? value : type
}

function assertKnown(kind: string, name: string, known: Set<string> | Record<string, unknown>): void {
  const names = known instanceof Set ? [...known] : Object.keys(known)
  if (names.includes(name)) return
  throw new Error(`the ${kind} ${name} is not understood; these are: ${names.join(', ')}`)
}
