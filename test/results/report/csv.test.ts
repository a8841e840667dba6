import { parse } from 'csv-parse/sync'
import { expect, it } from 'vitest'
import { formatDistancesCsv } from '../../../src/results/report/csv.js'

const blocks = [
  { start: 0, end: 8, distance: 0.508816123456, standardError: 0.001 },
  { start: 1, end: 9, distance: 1e-7, standardError: null },
]

it("writes PruneMe's columns, a row a block, in full precision", () => {
  expect(formatDistancesCsv(blocks)).toBe('block_start,block_end,average_distance\n0,8,0.508816123456\n1,9,1e-7\n')
})

it('reads back as the same numbers', () => {
  const rows = parse(formatDistancesCsv(blocks), { columns: true, cast: true })
  expect(rows).toEqual(
    blocks.map(({ start, end, distance }) => ({
      block_start: start,
      block_end: end,
      average_distance: distance,
    })),
  )
})
