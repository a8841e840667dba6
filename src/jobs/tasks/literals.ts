/** A list in Python code of strings, whole numbers and lists, such as `['yes', "don't know"]`; else undefined. */
export function parseList(code: string): unknown[] | undefined {
  const parser = new LiteralParser(code)
  const value = parser.value()
  return parser.isAtEnd() && Array.isArray(value) ? value : undefined
}

const STRING = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/y
const NUMBER = /-?(?:0|[1-9]\d*)(?![\d.eEjJxXoObB_])/y
const SPACES = /\s*/y
const ESCAPES: Record<string, string> = { n: '\n', t: '\t', r: '\r', '\\': '\\', "'": "'", '"': '"' }

class LiteralParser {
  readonly #code: string
  #position = 0

  constructor(code: string) {
    this.#code = code
  }

  isAtEnd(): boolean {
    this.#take(SPACES)
    return this.#position === this.#code.length
  }

  value(): unknown {
    this.#take(SPACES)
    const opening = this.#code[this.#position]
    if (opening === '[' || opening === '(') return this.#list(opening === '[' ? ']' : ')')
    const text = this.#take(STRING)
    if (text !== undefined) return unquote(text.slice(1, -1))
    const number = this.#take(NUMBER)
    return number === undefined ? undefined : Number(number)
  }

  #list(closing: string): unknown[] | undefined {
    this.#position++
    const items: unknown[] = []
    while (true) {
      this.#take(SPACES)
      if (this.#takeCharacter(closing)) return items
      const item = this.value()
      if (item === undefined) return undefined
      items.push(item)
      this.#take(SPACES)
      if (this.#takeCharacter(',')) continue
      return this.#takeCharacter(closing) ? items : undefined
    }
  }

  #takeCharacter(character: string): boolean {
    const found = this.#code[this.#position] === character
    if (found) this.#position++
    return found
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#position
    const found = pattern.exec(this.#code)?.[0]
    this.#position += found?.length ?? 0
    return found
  }
}

function unquote(text: string): string | undefined {
  let known = true
  const plain = text.replaceAll(/\\(.)/g, (_, letter: string) => {
    known &&= letter in ESCAPES
    return ESCAPES[letter] ?? ''
  })
  return known ? plain : undefined
}
