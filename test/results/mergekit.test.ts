import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { formatSliceConfig } from '../../src/results/mergekit.js'

describe('formatSliceConfig', () => {
  const base = { model: 'org/name', layers: 32, removed: [{ start: 21, end: 29 }], dtype: 'bfloat16' }

  it('writes the kept runs as slices of a passthrough merge', () => {
    expect(formatSliceConfig(base)).toBe(`# layerprune: removes layers 21..28 (0-based, 8 of 32)
slices:
  - sources:
      - model: org/name
        layer_range: [0, 21]
  - sources:
      - model: org/name
        layer_range: [29, 32]
merge_method: passthrough
dtype: bfloat16
`)
  })

  it('leaves one slice if the block lies at an end, and no dtype if none is known', () => {
    expect(formatSliceConfig({ ...base, removed: [{ start: 31, end: 32 }], dtype: null })).toBe(
      `# layerprune: removes layer 31 (0-based, 1 of 32)
slices:
  - sources:
      - model: org/name
        layer_range: [0, 31]
merge_method: passthrough
`,
    )
  })

  it('names every removed block, by start', () => {
    const yaml = formatSliceConfig({
      ...base,
      removed: [
        { start: 21, end: 22 },
        { start: 3, end: 6 },
      ],
    })
    expect(yaml.split('\n')[0]).toBe('# layerprune: removes layers 3..5, 21 (0-based, 4 of 32)')
    expect(parse(yaml).slices.map((slice: { sources: unknown[] }) => slice.sources)).toEqual([
      [{ model: 'org/name', layer_range: [0, 3] }],
      [{ model: 'org/name', layer_range: [6, 21] }],
      [{ model: 'org/name', layer_range: [22, 32] }],
    ])
  })

  it.each([
    ['plain', 'org/name', undefined, 'model: org/name'],
    ['a revision', 'org/name', 'v1.0', 'model: org/name@v1.0'],
    ['an @ in the path', './a@b/m', undefined, 'model: {model: {path: ./a@b/m}}'],
    ['a + in the path', '/c++/m', undefined, 'model: {model: {path: /c++/m}}'],
    ['a + in the path and a revision', '/c++/m', 'main', 'model: {model: {path: /c++/m, revision: main}}'],
    ['a + in the revision', 'org/name', 'v1+fix', 'model: {model: {path: org/name, revision: v1+fix}}'],
    ['a space and a colon', 'C: my models/m', undefined, 'model: "C: my models/m"'],
    ['a word YAML 1.1 reads as true', 'yes', undefined, 'model: "yes"'],
    ['a number YAML 1.1 reads in base 60', '12:30', undefined, 'model: "12:30"'],
  ])('writes a model with %s so that mergekit reads it whole', (_, model, revision, line) => {
    const yaml = formatSliceConfig({ ...base, model, ...(revision === undefined ? {} : { revision }) })
    expect(yaml.split('\n').filter((text) => text.includes('model:'))).toEqual([`      - ${line}`, `      - ${line}`])
  })

  it('keeps a long path on one line', () => {
    const model = `/${'long folder name/'.repeat(20)}model`
    expect(parse(formatSliceConfig({ ...base, model })).slices[0].sources[0].model).toBe(model)
    expect(formatSliceConfig({ ...base, model })).toContain(`- model: ${model}\n`)
  })

  it('warns that mergekit downloads the default branch if a revision is named', () => {
    expect(formatSliceConfig({ ...base, revision: 'v2' })).toContain('downloads the weights of the default branch')
  })

  it.each([
    [{ dtype: 'fp8' }, "dtype 'fp8' cannot be merged: expected float16, bfloat16, float32"],
    [{ removed: [] }, 'no block to remove for the slice config'],
    [{ model: '' }, 'the model for the slice config is an empty string'],
    [{ removed: [{ start: 0, end: 32 }] }, 'no layer would be kept: all 32 layers are removed'],
  ])('refuses %j', (change, message) => {
    expect(() => formatSliceConfig({ ...base, ...change })).toThrow(
      expect.objectContaining({ name: 'UsageError', message, exitCode: 2 }),
    )
  })
})
