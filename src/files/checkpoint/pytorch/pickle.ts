import { formatCount } from '../../../base/format-numbers.js'

/** What a pickle is made of: a dict is a Map, a tuple or a list an array; `other` is whatever the caller makes. */
export type PickleValue<T> =
  | null
  | boolean
  | number
  | string
  | PickleValue<T>[]
  | Map<unknown, PickleValue<T>>
  | Name
  | T

/** A class or function of Python that a pickle names, as `module.name`. */
export class Name {
  constructor(readonly path: string) {}
}

/** What the names and the outer objects of a pickle mean. Nothing else is ever looked up or called. */
export interface PickleMeaning<T> {
  /** Refuses a name that is not known, by throwing. */
  checkName(path: string): void
  /** What calling a known name gives. */
  call(path: string, args: PickleValue<T>[]): PickleValue<T>
  /** An object outside the pickle, by its id in the pickle. */
  load(id: PickleValue<T>): T
}

/** A pickle that is damaged, or has an opcode that files of tensors do not have. */
export class PickleError extends Error {}

/** The C pickler writes a thousand items at a time. */
const MAX_STACK = 1_000_000
/** Dicts, lists and tuples: some six a tensor. */
const MAX_CONTAINERS = 2_000_000
/** Some ten a tensor. */
const MAX_MEMO = 4_000_000

/**
 * Reads a pickle of protocol 2 to 5 as data: a machine with the opcodes that dicts, lists, numbers and texts need.
 * It runs no code: `meaning` gives the value of each name, and refuses unknown names.
 * @throws PickleError if the pickle is damaged, needs another opcode, or exceeds two million containers, four million
 *   remembered values or a stack of a million values
 * @see https://github.com/python/cpython/blob/main/Lib/pickletools.py
 */
export function readPickle<T>(bytes: Uint8Array, meaning: PickleMeaning<T>): PickleValue<T> {
  return new Machine(bytes, meaning).run()
}

class Machine<T> {
  readonly #bytes: Buffer
  readonly #meaning: PickleMeaning<T>
  #at = 0
  #stack: PickleValue<T>[] = []
  /** The stacks below the marks. */
  readonly #below: PickleValue<T>[][] = []
  #belowCount = 0
  readonly #memo = new Map<number, PickleValue<T>>()
  #containers = 0

  constructor(bytes: Uint8Array, meaning: PickleMeaning<T>) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#meaning = meaning
  }

  run(): PickleValue<T> {
    for (;;) {
      const opcode = this.#byte()
      if (opcode === 0x2e) break
      this.#step(opcode)
      if (this.#stack.length + this.#belowCount > MAX_STACK) {
        throw new PickleError(`its stack exceeds ${formatCount(MAX_STACK)} values`)
      }
    }
    return this.#pop()
  }

  #step(opcode: number): void {
    const isDone = this.#stepConstant(opcode) || this.#stepContainer(opcode) || this.#stepObject(opcode)
    if (isDone) return
    const shown = opcode.toString(16).padStart(2, '0')
    throw new PickleError(`the opcode 0x${shown} at byte ${this.#at - 1} is not one that tensors need`)
  }

  /** Opcodes that push a number, a text or nothing. */
  #stepConstant(opcode: number): boolean {
    switch (opcode) {
      case 0x80: // PROTO
        this.#take(1)
        return true
      case 0x95: // FRAME
        this.#take(8)
        return true
      case 0x4e: // NONE
        return this.#push(null)
      case 0x88: // NEWTRUE
        return this.#push(true)
      case 0x89: // NEWFALSE
        return this.#push(false)
      case 0x4a: // BININT
        return this.#push(this.#take(4).readInt32LE())
      case 0x4b: // BININT1
        return this.#push(this.#byte())
      case 0x4d: // BININT2
        return this.#push(this.#take(2).readUInt16LE())
      case 0x8a: // LONG1
        return this.#push(this.#long(this.#byte()))
      case 0x47: // BINFLOAT
        return this.#push(this.#take(8).readDoubleBE())
      case 0x58: // BINUNICODE
      case 0x54: // BINSTRING
        return this.#push(this.#text(this.#take(4).readUInt32LE()))
      case 0x8c: // SHORT_BINUNICODE
      case 0x55: // SHORT_BINSTRING
        return this.#push(this.#text(this.#byte()))
      default:
        return false
    }
  }

  /** Opcodes of tuples, lists and dicts. */
  #stepContainer(opcode: number): boolean {
    switch (opcode) {
      case 0x28: // MARK
        this.#belowCount += this.#stack.length
        this.#below.push(this.#stack)
        this.#stack = []
        // an empty stack below a mark takes memory too
        this.#countContainer()
        return true
      case 0x29: // EMPTY_TUPLE
      case 0x5d: // EMPTY_LIST
        return this.#pushContainer([])
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return this.#pushContainer(this.#popSome(opcode - 0x84))
      case 0x74: // TUPLE
        return this.#pushContainer(this.#popMark())
      case 0x61: // APPEND
        return this.#append([this.#pop()])
      case 0x65: // APPENDS
        return this.#append(this.#popMark())
      case 0x7d: // EMPTY_DICT
        return this.#pushContainer(new Map())
      case 0x73: // SETITEM
        return this.#setItems(this.#popSome(2))
      case 0x75: // SETITEMS
        return this.#setItems(this.#popMark())
      default:
        return false
    }
  }

  /** Opcodes of names, calls, outer objects and the memo. */
  #stepObject(opcode: number): boolean {
    switch (opcode) {
      case 0x63: // GLOBAL
        return this.#pushName(this.#line(), this.#line())
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = this.#popSome(2)
        return this.#pushName(module, name)
      }
      case 0x52: {
        // REDUCE
        const [callable, args] = this.#popSome(2)
        if (!(callable instanceof Name) || !Array.isArray(args)) throw new PickleError('it calls what is no name')
        this.#countContainer()
        return this.#push(this.#meaning.call(callable.path, args))
      }
      case 0x62: // BUILD: attributes of a dict, which no tensor is among
        this.#pop()
        if (this.#top() instanceof Map) return true
        throw new PickleError('it sets attributes of what is no dict')
      case 0x51: // BINPERSID
        return this.#push(this.#meaning.load(this.#pop()))
      case 0x71: // BINPUT
        return this.#remember(this.#byte())
      case 0x72: // LONG_BINPUT
        return this.#remember(this.#take(4).readUInt32LE())
      case 0x94: // MEMOIZE
        return this.#remember(this.#memo.size)
      case 0x68: // BINGET
        return this.#recall(this.#byte())
      case 0x6a: // LONG_BINGET
        return this.#recall(this.#take(4).readUInt32LE())
      default:
        return false
    }
  }

  #push(value: PickleValue<T>): true {
    this.#stack.push(value)
    return true
  }

  #pushContainer(value: PickleValue<T>[] | Map<unknown, PickleValue<T>>): true {
    this.#countContainer()
    return this.#push(value)
  }

  #countContainer(): void {
    if (++this.#containers > MAX_CONTAINERS) throw new PickleError(`it has over ${MAX_CONTAINERS} containers`)
  }

  #pushName(module: PickleValue<T> | undefined, name: PickleValue<T> | undefined): true {
    if (typeof module !== 'string' || typeof name !== 'string') throw new PickleError('a name in it is no text')
    const path = `${module}.${name}`
    this.#meaning.checkName(path)
    return this.#push(new Name(path))
  }

  #append(items: PickleValue<T>[]): true {
    const list = this.#top()
    if (!Array.isArray(list)) throw new PickleError('it appends to what is no list')
    for (const item of items) list.push(item)
    return true
  }

  #setItems(items: PickleValue<T>[]): true {
    const dict = this.#top()
    if (!(dict instanceof Map)) throw new PickleError('it sets items of what is no dict')
    if (items.length % 2 !== 0) throw new PickleError('a key in it has no value')
    for (let index = 0; index < items.length; index += 2) dict.set(items[index], items[index + 1]!)
    return true
  }

  #top(): PickleValue<T> {
    if (this.#stack.length === 0) throw new PickleError('it takes a value that is not there')
    return this.#stack.at(-1)!
  }

  #pop(): PickleValue<T> {
    this.#top()
    return this.#stack.pop()!
  }

  #popSome(count: number): PickleValue<T>[] {
    if (this.#stack.length < count) throw new PickleError('it takes a value that is not there')
    return this.#stack.splice(-count)
  }

  #popMark(): PickleValue<T>[] {
    const items = this.#stack
    const below = this.#below.pop()
    if (below === undefined) throw new PickleError('it takes values up to a mark that is not there')
    this.#stack = below
    this.#belowCount -= below.length
    return items
  }

  #remember(index: number): true {
    this.#memo.set(index, this.#top())
    if (this.#memo.size > MAX_MEMO) throw new PickleError(`it remembers over ${MAX_MEMO} values`)
    return true
  }

  #recall(index: number): true {
    const value = this.#memo.get(index)
    if (value === undefined) throw new PickleError(`it takes value ${index} of its memo, which is not there`)
    return this.#push(value)
  }

  #byte(): number {
    return this.#take(1)[0]!
  }

  #take(count: number): Buffer {
    const end = this.#at + count
    if (end > this.#bytes.length) throw new PickleError('it ends too early')
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }

  #text(lengthBytes: number): string {
    return this.#take(lengthBytes).toString('utf8')
  }

  /** Up to the end of the line, which is dropped. */
  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at)
    if (end === -1) throw new PickleError('it ends too early')
    const line = this.#text(end - this.#at)
    this.#at++
    return line
  }

  /** A whole number in two's complement, little-endian. */
  #long(lengthBytes: number): number {
    if (lengthBytes > 8) throw new PickleError(`a whole number in it has ${lengthBytes} bytes, expected at most 8`)
    const digits = this.#take(lengthBytes)
    let value = 0n
    for (let index = lengthBytes - 1; index >= 0; index--) value = (value << 8n) | BigInt(digits[index]!)
    return Number(BigInt.asIntN(8 * lengthBytes, value))
  }
}
