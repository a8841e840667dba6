import { describe, expect, it } from 'vitest'
import { formatBlockTable, formatTable, type MetricColumn } from '../../../src/cli/terminal/table.js'
import { exampleResult } from '../../support/similarity-example.js'

describe('formatTable', () => {
  it('aligns wide letters and keeps cells from breaking the table', () => {
    const table = formatTable(
      [
        { title: 'model', align: 'left' },
        { title: 'layers', align: 'right' },
      ],
      [
        ['模型 A', '12'],
        ['a|b\nc', '126'],
      ],
    )
    expect(table).toBe(
      [
        '| model  | layers |', //
        '| ------ | -----: |',
        '| 模型 A |     12 |',
        '| a\\|b c |    126 |',
      ].join('\n'),
    )
  })
})

describe('formatBlockTable', () => {
  const { blocks, best } = exampleResult([0.5, 0.1876, 0.25], { layersToSkip: 2 })

  it('marks the best block', () => {
    expect(formatBlockTable(blocks, best)).toBe(
      [
        '| start | end | layers removed | distance | ± std err |         |',
        '| ----: | --: | -------------: | -------: | --------: | ------- |',
        '|     0 |   2 |           0..1 |   0.5000 |    0.0009 |         |',
        '|     1 |   3 |           1..2 |   0.1876 |    0.0009 | nearest |',
        '|     2 |   4 |           2..3 |   0.2500 |    0.0009 |         |',
      ].join('\n'),
    )
  })

  it('has a column for each further metric, its smallest marked, before those that the others imply', () => {
    const others = [
      { metric: 'cosine', distances: [0.4, 0.3, 0.1], best: { start: 2, end: 4 } },
      { metric: 'euclidean', distances: [9.5, 12.3456, 123456], best: { start: 0, end: 2 } },
    ] satisfies MetricColumn[]
    expect(formatBlockTable(blocks, best, { width: 60, others })).toBe(
      [
        '| layers removed | angular |   cosine | euclidean |         |',
        '| -------------: | ------: | -------: | --------: | ------- |',
        '|           0..1 |  0.5000 |   0.4000 |  * 9.5000 |         |',
        '|           1..2 |  0.1876 |   0.3000 |    12.346 | nearest |',
        '|           2..3 |  0.2500 | * 0.1000 |  1.235e+5 |         |',
      ].join('\n'),
    )
    const [wide] = formatBlockTable(blocks, best, { width: 90, others }).split('\n')
    expect(wide).toBe('| start | end | layers removed | angular | ± std err |   cosine | euclidean |         |')
  })

  it('colours the best row only', () => {
    const lines = formatBlockTable(blocks, best, { color: true }).split('\n')
    const colored = lines.filter((line) => line.includes('\u001b'))
    expect(colored).toEqual(['\u001b[32m|     1 |   3 |           1..2 |   0.1876 |    0.0009 | nearest |\u001b[39m'])
  })

  it('leaves columns out in a narrow window', () => {
    expect(formatBlockTable(blocks, best, { width: 60 }).split('\n')[0]).toBe(
      '| start | end | layers removed | distance |         |',
    )
    const narrow = formatBlockTable(blocks, best, { width: 40 }).split('\n')
    expect(narrow[0]).toBe('| layers removed | distance |         |')
    expect(narrow.every((line) => line.length <= 40)).toBe(true)
  })

  it('has no error column if none is known', () => {
    const single = exampleResult([0.5, 0.25], { standardError: null })
    expect(formatBlockTable(single.blocks, single.best).split('\n').at(-1)).toBe(
      '|     1 |   9 |           1..8 |   0.2500 | nearest |',
    )
  })
})
