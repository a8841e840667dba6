import { describe, expect, it } from 'vitest'
import { findShardSplit } from '../../../../src/texts/data/hub/default-splits.js'
import { parsePattern } from '../../../../src/texts/data/hub/file-pattern.js'

const PATHS = [
  'train.jsonl',
  'data/train-00.parquet',
  'data/a/train-01.parquet',
  'data/a/b/test.parquet',
  'data/a-c.parquet',
  'data/é.parquet',
  'data/🙂.parquet',
  'data/].parquet',
  'data/[x.parquet',
  'data/.hidden.parquet',
  'data/__cache/x.parquet',
  'data/README.md',
]

describe('patterns match as in fsspec and datasets', () => {
  // what glob_translate of fsspec 2026.9.0 matches, less what datasets passes over
  it.each([
    ['*', ['train.jsonl']],
    ['*.jsonl', ['train.jsonl']],
    ['data/*', [1, 4, 5, 6, 7, 8].map((i) => PATHS[i])],
    ['data/**', [1, 2, 3, 4, 5, 6, 7, 8].map((i) => PATHS[i])],
    ['**/*.parquet', [1, 2, 3, 4, 5, 6, 7, 8].map((i) => PATHS[i])],
    ['**/train*', [0, 1, 2].map((i) => PATHS[i])],
    ['data/**/b/*', ['data/a/b/test.parquet']],
    ['data/*/*', ['data/a/train-01.parquet']],
    ['data/?.parquet', [5, 6, 7].map((i) => PATHS[i])],
    ['data/[é-🙂].parquet', [5, 6].map((i) => PATHS[i])],
    ['data/[!a-z].parquet', [5, 6, 7].map((i) => PATHS[i])],
    ['data/[]].parquet', ['data/].parquet']],
    ['data/[x*', ['data/[x.parquet']],
    ['data/a[b-]c.*', ['data/a-c.parquet']],
    ['data/a[-b]c.*', ['data/a-c.parquet']],
    ['data/[z-a]*', []],
    ['data/[!z-a].parquet', [5, 6, 7].map((i) => PATHS[i])],
    ['data/.*', ['data/.hidden.parquet']],
    ['data/__*/*', ['data/__cache/x.parquet']],
    ['*/README.md', ['data/README.md']],
  ])('%s', (pattern, expected) => {
    expect(PATHS.filter(parsePattern(pattern).matches)).toEqual(expected)
  })

  it('folders that cannot hold a match are not listed', () => {
    const { reaches, folder } = parsePattern('data/[ab]*/x-*/**/c/*.csv')
    expect(folder).toBe('data')
    expect(['data', 'data/a', 'data/b1/x-', 'data/a/x-1/any/where'].filter(reaches).length).toBe(4)
    expect(['other', 'data/c', 'data/a/y'].filter(reaches)).toEqual([])
  })
})

it.each([
  [`data/${'*a'.repeat(8)}.parquet`, `data/${'a'.repeat(120)}`],
  [`${'**/'.repeat(10)}x`, `${'a/'.repeat(60)}y`],
  [`${'*a'.repeat(511)}b`, 'a'.repeat(1024)],
  [`${'**/'.repeat(339)}*a*`, `${'b/'.repeat(511)}b`],
])('a match takes no more time than pattern times path: %s', (pattern, path) => {
  const startMs = performance.now()
  expect(parsePattern(pattern).matches(path)).toBe(false)
  expect(performance.now() - startMs).toBeLessThan(100)
})

it.each([
  ['data/train-00000-of-00002.parquet', 'train'],
  ['data/a-b-00000-of-00002-x.tar.gz', 'a-b'],
  ['data/train-00000-of-00002', undefined],
  ['data/a/train-00000-of-00002.parquet', undefined],
  ['train-00000-of-00002.parquet', undefined],
  [`data/${'-00000-of-00000'.repeat(34)}${'.'.repeat(500)}/x`, undefined],
])('the split of a numbered part, in little time: %s', (path, split) => {
  const startMs = performance.now()
  for (let i = 0; i < 100; i++) expect(findShardSplit(path)).toBe(split)
  expect(performance.now() - startMs).toBeLessThan(200)
})
