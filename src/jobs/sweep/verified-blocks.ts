import { chunk } from '../../base/chunk.js'
import type { OnProgress } from '../../base/progress.js'
import type { Block } from '../../model/layers/block.js'
import { formatBlocks } from '../../model/layers/blocks.js'
import { findNearestBlocks } from '../../results/documents/result-views.js'
import type { ReadText } from '../../texts/tokens/windows.js'
import type { Measuring } from '../strategies/race.js'

/** Nearest blocks of a size that are measured, and blocks of a size that go on. */
const CANDIDATES = 8
const FINALISTS = 2
/** The first texts, on which all candidates are measured, are a quarter of all. */
const FIRST_SHARE = 4
/** Texts run at once; few, so that what is measured is kept often. */
const BATCH = 8

interface Candidate {
  size: number
  block: Block
  /** Sum over the texts so far, in nats; Infinity if one is not finite. */
  nats: number
}

export interface Sizes {
  /** `distances[n][l]`, angular. */
  distances: Record<string, number[]>
  sizes: number[]
  /** Texts to choose on. */
  texts: ReadText[]
  onProgress?: OnProgress | undefined
}

/**
 * Chooses the block of each size by perplexity: of the nearest ones, those that lose least on the first texts are
 * measured on the others too. A good block of one size is mostly a good one of the next with a layer more or less, also
 * if it is not among the nearest, so these are candidates as well. All sizes run together, because their cuts share the
 * layers below.
 * @param evaluator  measures cuts as they are
 * @param final      measures those that are left, on all texts again, if it is another: repaired, for example
 * @returns the block of each size
 */
export async function verifySizes(
  evaluator: Measuring,
  { distances, sizes, texts, onProgress }: Sizes,
  final: Final = { evaluator, texts: [] },
): Promise<Map<number, Block>> {
  const candidates: Candidate[] = []
  let asked = sizes.flatMap((size) =>
    findNearestBlocks(distances, size, CANDIDATES).map(({ start, end }) => newCandidate({ start, end })),
  )
  const first = Math.max(1, Math.floor(texts.length / FIRST_SHARE))
  const left = sizes.reduce((sum, size) => sum + Math.min(FINALISTS, distances[size]!.length), 0)
  const rest = texts.length - first
  let total = asked.length * first + left * (rest + final.texts.length)
  let done = 0
  const report = (now: number) =>
    onProgress?.({ phase: 'perplexity of candidates', done: now, total, unit: 'text', share: now / total })
  const run = async (measuring: Measuring, asked: Candidate[], part: ReadText[]) => {
    for (const batch of chunk(part, BATCH)) {
      const before = done
      report(before)
      const blocks = asked.map(({ block }) => [block])
      const losses = await measuring.measure(batch, blocks, ({ share }) =>
        report(before + share * asked.length * batch.length),
      )
      for (const [place, nats] of losses.entries()) {
        const sum = nats.reduce((a, b) => a + b, 0)
        asked[place]!.nats += Number.isFinite(sum) ? sum : Infinity
      }
      done += asked.length * batch.length
      report(done)
    }
  }
  while (asked.length > 0) {
    await run(evaluator, asked, texts.slice(0, first))
    candidates.push(...asked)
    asked = findNeighbours(candidates, sizes, distances[1]!.length)
    total += asked.length * first
  }
  const finalists = sizes.flatMap((size) => takeBest(candidates, size, FINALISTS))
  await run(evaluator, finalists, texts.slice(first))
  if (final.texts.length > 0) {
    for (const candidate of finalists) candidate.nats = 0
    await run(final.evaluator, finalists, final.texts)
  }
  return new Map(sizes.map((size) => [size, takeBest(finalists, size, 1)[0]!.block]))
}

interface Final {
  evaluator: Measuring
  texts: ReadText[]
}

function newCandidate(block: Block): Candidate {
  return { size: block.end - block.start, block, nats: 0 }
}

/** Blocks not measured yet that contain the best block of the next smaller size, or lie in that of the next larger. */
function findNeighbours(candidates: Candidate[], sizes: number[], layers: number): Candidate[] {
  const inOrder = [...sizes].sort((a, b) => a - b)
  const best = new Map(inOrder.map((size) => [size, takeBest(candidates, size, 1)[0]!.block]))
  const found = inOrder.slice(1).flatMap((larger, index) => {
    const smaller = inOrder[index]!
    const [inner, outer] = [best.get(smaller)!, best.get(larger)!]
    return Array.from({ length: larger - smaller + 1 }, (_, shift): Block[] => [
      { start: inner.start - shift, end: inner.start - shift + larger },
      { start: outer.start + shift, end: outer.start + shift + smaller },
    ]).flat()
  })
  const inModel = found.filter(({ start, end }) => start >= 0 && end <= layers)
  const fresh = new Map(inModel.map((block) => [formatBlocks([block]), block]))
  for (const { block } of candidates) fresh.delete(formatBlocks([block]))
  return [...fresh.values()].map(newCandidate)
}

/** Those of a size that lose least; of equals, the nearer. */
function takeBest(candidates: Candidate[], size: number, count: number): Candidate[] {
  return candidates
    .filter((candidate) => candidate.size === size)
    .sort((a, b) => (a.nats === b.nats ? 0 : a.nats - b.nats))
    .slice(0, count)
}
