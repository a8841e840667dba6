import { createRandom, type Random, shuffleInPlace } from '../../base/random.js'

/** Files that are read side by side. */
const LANES = 8
/** Rows held back, from which the next one is drawn. */
const POOL_ROWS = 1000

/**
 * Reads a seeded sample spread over files: the files in random order, several of them side by side, their
 * rows mixed through a pool from which each row is drawn at random. Every row comes once, and the first ones are a
 * sample that neither the order of the files nor the order of the rows in them decides alone. Only what the rows
 * that are taken need is read.
 * @param open  reads a file, with random numbers for the order inside it
 * @param seed  the same seed over the same files gives the same order
 */
export async function* shuffleRows<File, Row>(
  files: Iterable<File> | AsyncIterable<File>,
  open: (file: File, random: Random) => AsyncGenerator<Row>,
  seed: number,
): AsyncGenerator<Row> {
  const random = createRandom(seed)
  const waiting: File[] = []
  for await (const file of files) waiting.push(file)
  shuffleInPlace(waiting, random)
  const lanes: AsyncGenerator<Row>[] = []
  const pool: Row[] = []
  const openNext = () => {
    const file = waiting.shift()
    // each file has its own random numbers, so that the order inside it does not depend on the speed of others
    if (file !== undefined) lanes.push(open(file, createRandom(random.below(2 ** 32))))
  }
  try {
    for (let i = 0; i < LANES; i++) openNext()
    for (let turn = 0; lanes.length > 0; turn++) {
      const lane = turn % lanes.length
      const { value, done } = await lanes[lane]!.next()
      if (done) {
        lanes.splice(lane, 1)
        openNext()
        continue
      }
      pool.push(value)
      if (pool.length > POOL_ROWS) yield draw(pool, random)
    }
    while (pool.length > 0) yield draw(pool, random)
  } finally {
    for (const lane of lanes) await lane.return(undefined)
  }
}

function draw<Row>(pool: Row[], random: Random): Row {
  const index = random.below(pool.length)
  const row = pool[index]!
  pool[index] = pool.at(-1)!
  pool.pop()
  return row
}
