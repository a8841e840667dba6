import {
  type BpeModel,
  isBpe,
  isUnigram,
  type Lattice,
  type LatticeNode,
  type TokenModel,
  type UnigramModel,
} from './token-model.js'

/**
 * First tokens of a word whose start alone is known.
 * @param word   at least its known part
 * @param known  its first characters that are certain
 * @returns tokens that the whole word begins with, whatever follows; none if that is not certain
 */
export type WordStart = (word: string, known: number) => string[]

/**
 * Finds how to tell the first tokens of a word from its start: whatever follows, one piece of the word covers a given
 * character, and the pieces before it are those of the word that ends there. What is common to all pieces that may
 * cover it is certain.
 */
export function createWordStart(model: TokenModel): WordStart {
  if (isBpe(model)) return createBpeStart(model)
  if (isUnigram(model)) return createUnigramStart(model)
  return () => []
}

/**
 * No merge of a word crosses a boundary between its pieces, so the pieces before it do not depend on what comes
 * after it: they are the pieces of the word cut there, and those after it are the pieces of the rest.
 */
function createBpeStart(model: BpeModel): WordStart {
  // the last piece of a word, and of a start of it, is another than the same characters inside
  if (model.end_of_word_suffix || model.continuing_subword_suffix) return () => []
  const readMerged = once(() => collectMerged(model))
  return (word, known) => {
    const merged = readMerged()
    const { longest } = merged
    const pieces: string[] = []
    let start = 0
    for (let step = longest; start + step + longest <= known; ) {
      const ends = findEnds(word, findPlace(word, start, start + step), merged)
      const certain = commonStart(ends.map((end) => model.bpe(word.slice(start, end))))
      pieces.push(...certain)
      start += certain.join('').length
      step = certain.length > 0 ? longest : 2 * step
    }
    const mapping: BpeModel = Object.create(model, {
      bpe: { value: () => pieces },
      ignore_merges: { value: false },
    })
    return mapping.encode([''])
  }
}

/** What merges make. */
interface Merged {
  pieces: Set<string>
  /** Characters of the longest piece. */
  longest: number
  /** Characters of the longest piece that begins with these two. */
  longestFrom: Map<string, number>
}

function collectMerged({ merges }: BpeModel): Merged {
  const pieces = new Set(merges.map(([left, right]) => left + right))
  const longestFrom = new Map<string, number>()
  for (const piece of pieces) {
    const start = piece.slice(0, 2)
    longestFrom.set(start, Math.max(longestFrom.get(start) ?? 0, piece.length))
  }
  return { pieces, longest: longestOf([1, ...longestFrom.values()]), longestFrom }
}

/** The character before the last space up to `last`, which few pieces cross, or else the one at `last`. */
function findPlace(word: string, start: number, last: number): number {
  const space = longestOf(['▁', 'Ġ', ' '].map((mark) => word.lastIndexOf(mark, last))) - 1
  const at = space > start ? space : last
  return isLowSurrogate(word, at) ? at - 1 : at
}

/** Where the piece that covers the character at `at` may end. */
function findEnds(word: string, at: number, { pieces, longest, longestFrom }: Merged): number[] {
  const ends = new Set([at + (isLowSurrogate(word, at + 1) ? 2 : 1)])
  for (let start = Math.max(0, at + 1 - longest); start <= at; start++) {
    const last = start + (longestFrom.get(word.slice(start, start + 2)) ?? 0)
    for (let end = at + 1; end <= last; end++) {
      if (pieces.has(word.slice(start, end))) ends.add(end)
    }
  }
  return [...ends]
}

function isLowSurrogate(word: string, index: number): boolean {
  return (word.charCodeAt(index) & 0xfc00) === 0xdc00
}

/** The best path to a piece depends on nothing after it; it is read from the lattice, so that ties break as there. */
function createUnigramStart(model: UnigramModel): WordStart {
  const readLongest = once(() => longestOf(model.vocab.map((piece) => [...piece].length)))
  return (word, known) => {
    const longest = readLongest()
    const lattice = fillLattice(model, word.slice(0, known))
    const at = lattice.chars.length - longest
    if (at < 0) return []
    const covering = lattice.begin_nodes
      .slice(Math.max(0, at + 1 - longest), at + 1)
      .flatMap((nodes) => nodes.filter(({ pos, length }) => pos + length > at))
    return commonStart(covering.map((node) => readPath(lattice, node)))
  }
}

function fillLattice(model: UnigramModel, word: string): Lattice {
  let filled: Lattice | undefined
  const watched: UnigramModel = Object.create(model, {
    populate_nodes: {
      value(lattice: Lattice) {
        model.populate_nodes(lattice)
        filled = lattice
      },
    },
  })
  watched.tokenize(word)
  return filled!
}

function readPath(lattice: Lattice, last: LatticeNode): string[] {
  const pieces: string[] = []
  // the very first node is the start of the word
  for (let node = last; node.prev !== null; node = node.prev) pieces.push(lattice.piece(node))
  return pieces.reverse()
}

function commonStart([first = [], ...others]: string[][]): string[] {
  let length = first.length
  for (const other of others) {
    let same = 0
    while (same < length && other[same] === first[same]) same++
    length = same
  }
  return first.slice(0, length)
}

function longestOf(lengths: number[]): number {
  return lengths.reduce((most, length) => Math.max(most, length), 0)
}

/** Computes a value when it is first asked for. */
function once<T>(compute: () => T): () => T {
  let value: { computed: T } | undefined
  return () => {
    value ??= { computed: compute() }
    return value.computed
  }
}
