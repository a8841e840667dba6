import { Interpreter } from '@huggingface/jinja'

/** For one text; a sound template takes a millisecond. */
const LONGEST_MS = 5000
/** Evaluations between two looks at the clock. */
const UNWATCHED = 255
/** Characters of a text, items of a list. */
const MOST_ITEMS = 1 << 26

/** What is looked at of the library's syntax tree. */
interface SyntaxNode {
  type: string
  property?: { step?: SyntaxNode }
  operator?: { value: string }
}

/** A value with the library's wrapping. */
interface Wrapped {
  type: string
  value: unknown
}

/** The part of the library's class that is used; its own types do not resolve. */
interface LibraryInterpreter {
  run(program: unknown): Wrapped
  evaluate(node: SyntaxNode | undefined, environment: unknown): Wrapped
}

const LibraryInterpreter: new (environment?: unknown) => LibraryInterpreter = Interpreter

/** A template that is given up: it would fare the same with other texts. */
export class LimitError extends Error {}

/**
 * Runs a stranger's template as Jinja does, for a limited time and with values of limited size. What Jinja refuses and
 * the library lets pass, such as a division by zero, is an error here too.
 */
export class LimitedInterpreter extends LibraryInterpreter {
  readonly #startMs = performance.now()
  readonly #steps = new WeakSet<SyntaxNode>()
  #evaluations = 0

  override evaluate(node: SyntaxNode | undefined, environment: unknown): Wrapped {
    if (node === undefined) return super.evaluate(node, environment)
    const { type, property, operator } = node
    // a loop without a body evaluates nothing
    if (type === 'For' || (++this.#evaluations & UNWATCHED) === 0) this.#assertInTime()
    if (type === 'MemberExpression' && property?.step) this.#steps.add(property.step)
    const result = super.evaluate(node, environment)
    const { value } = result
    if (typeof value === 'string' || Array.isArray(value)) assertSize(value)
    if (type === 'BinaryExpression' && /[/%]/.test(operator!.value) && !Number.isFinite(value)) {
      throw new Error('division by zero')
    }
    if (value === 0 && this.#steps.has(node)) throw new Error('slice step cannot be zero')
    return result
  }

  #assertInTime(): void {
    if (performance.now() - this.#startMs > LONGEST_MS)
      throw new LimitError(`it takes longer than ${LONGEST_MS / 1000} seconds`)
  }
}

function assertSize({ length }: string | unknown[]): void {
  if (length > MOST_ITEMS)
    throw new LimitError(`it makes a text or list of more than ${MOST_ITEMS} characters or items`)
}
