import { describe, expect, it } from 'vitest'
import { formatConclusion, formatSummary } from '../../src/terminal/summary.js'
import { exampleResult } from '../similarity-example.js'

const linesOf = (result: Parameters<typeof formatSummary>[0]) => formatSummary(result).split('\n')

describe('formatSummary', () => {
  it('is the whole report, from what was measured to which layers go', () => {
    const result = exampleResult([0.5, 0.1876, 0.1936], { layersToSkip: 2 })
    expect(formatSummary(result, { width: 66 })).toBe(`\
model    models/small (llama, 4 layers, hidden size 64), fp32 from onnx/model.onnx
dataset  data/texts.jsonl (text): 128 texts, 32,768 tokens, at most 256 a text
measure  angular distance across 2 layers, last token of each text

| start | end | layers removed | distance | ± std err |         |
| ----: | --: | -------------: | -------: | --------: | ------- |
|     0 |   2 |           0..1 |   0.5000 |    0.0009 |         |
|     1 |   3 |           1..2 |   0.1876 |    0.0009 | <- best |
|     2 |   4 |           2..3 |   0.1936 |    0.0009 |         |

angular distance by first layer removed
0.5 ┤⠒⠤⣀⡀
    │   ⠈⠑⠢⠤⣀
0.4 ┤        ⠉⠑⠢⠤⣀
    │             ⠉⠑⠢⢄⣀
0.3 ┤                  ⠉⠒⠢⢄⣀
    │                       ⠉⠒⠢⢄⡀
0.2 ┤                           ⠈⠉⠒●⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤
    │
0.1 ┤
    └┬─────────────────────────────┬─────────────────────────────┬
     0                             1                             2
     ● layers 1..2: 0.1876 ± 0.0009

Second best: layers 2..3, 0.1936 ± 0.0009, 0.0060 more.
Remove layers 1..2 (0-based, 2 of 4): angular distance 0.1876 ± 0.0009 over 128 texts.`)
  })

  it('says that an interrupted run is partial, and what was skipped', () => {
    const result = exampleResult([0.5, 0.2])
    result.partial = true
    result.tokens = 'all'
    result.dataset.samples = 1
    result.dataset.skipped = { empty: 1, notText: 2 }
    const lines = linesOf(result)
    expect(lines[1]).toBe(
      'dataset  data/texts.jsonl (text): 1 text, 32,768 tokens, at most 256 a text; ' +
        'skipped 1 empty row and 2 rows without text',
    )
    expect(lines[2]).toBe('measure  angular distance across 8 layers, all tokens of each text')
    expect(lines.slice(-2)).toEqual([
      'PARTIAL: interrupted after 1 text.',
      'Remove layers 1..8 (0-based, 8 of 9): angular distance 0.2000 ± 0.0009 over 1 text.',
    ])
  })

  it('warns where the second best block is within the error', () => {
    const close = (gap: number, standardError: number | null) =>
      linesOf(exampleResult([0.5, 0.2, 0.2 + gap], { standardError })).at(-2)
    expect(close(0.002, 0.0009)).toBe(
      'Second best: layers 2..9, 0.2020 ± 0.0009, 0.0020 more, within the error: more texts may change the order.',
    )
    expect(close(0.003, 0.0009)).toBe('Second best: layers 2..9, 0.2030 ± 0.0009, 0.0030 more.')
    expect(close(0.002, null)).toBe('Second best: layers 2..9, 0.2020, 0.0020 more.')
  })

  it('has no second best where there is one block', () => {
    expect(formatSummary(exampleResult([0.2]))).not.toContain('Second best')
  })

  it('carries escapes only in colour', () => {
    expect(formatSummary(exampleResult([0.5, 0.2]))).not.toContain('\u001b')
    const colored = formatSummary(exampleResult([0.5, 0.2]), { color: true })
    expect(colored).toContain('\u001b[1mRemove layers 1..8')
  })
})

it('concludes in one sentence', () => {
  const result = exampleResult([0.5, 0.2], { layersToSkip: 1, standardError: null })
  expect(formatConclusion(result)).toBe(
    'Remove layer 1 (0-based, 1 of 2): angular distance 0.2000 over 128 texts.',
  )
})
