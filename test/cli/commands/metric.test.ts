import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { findSchemaProblem } from '../../../src/results/documents/json-schema.js'
import { EXAMPLES, LLAMA, TEXTS } from '../../support/paths.js'
import { type Outcome, runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const cwd = makeTempFolder()
const read = (path: string) => JSON.parse(readFileSync(join(cwd, path), 'utf8'))

const similarity = (...flags: string[]) =>
  runProgram(
    [
      ...['similarity', '--model', `${EXAMPLES}/model`, '--dataset', `${EXAMPLES}/texts.jsonl`],
      ...['--layers-to-skip', '4', '--dataset-size', '40', '--quiet', ...flags],
    ],
    { cwd },
  )

/** How to check blocks says how long that takes here; a merge has no rate to say so. */
const withoutAdvice = (text: string) => text.replace(/\n(Add --verify 8 |layerprune evaluate ).*\n/, '\n')

describe('similarity --metric', () => {
  let euclidean: Outcome
  beforeAll(async () => {
    euclidean = await similarity('--metric', 'euclidean, angular', '--metric=cosine', '--output', 'euclidean')
  })

  it('shows one column per metric, marks the best of each and says where they disagree', () => {
    const { exitCode, stdout, stderr } = euclidean
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout).toContain(
      'measure  Euclidean distance across 4 layers, last token of each text; also angular and cosine',
    )
    const rows = stdout
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .map((line) =>
        line
          .split('|')
          .map((cell) => cell.trim())
          .slice(1, -1),
      )
    // 80 columns have no room for the standard error
    expect(rows[0]).toEqual(['start', 'end', 'layers removed', 'euclidean', 'angular', 'cosine', ''])
    expect(rows.filter((row) => row.at(-1) === 'nearest').map((row) => row[2])).toEqual(['3..6'])
    expect(rows.filter((row) => row[4]!.startsWith('* ')).map((row) => row[2])).toEqual(['4..7'])
    expect(rows.filter((row) => row[5]!.startsWith('* ')).map((row) => row[2])).toEqual(['4..7'])
    expect(stdout).toContain('* smallest in its column: angular and cosine choose layers 4..7.')
    expect(stdout).toContain('Euclidean distance by first layer removed')
    expect(stdout).toMatch(
      /\nNearest block: layers 3\.\.6 \(0-based, 4 of 12\), Euclidean distance 1\d\.\d{3} ± 0\.\d{3} over 40 texts\.\n/,
    )
  })

  it('keeps every number in similarity.json, as the schema says', async () => {
    const saved = read('euclidean/similarity.json')
    expect(findSchemaProblem('similarity', saved)).toBeNull()
    expect(saved.metric).toBe('euclidean')
    expect(Object.keys(saved.metrics)).toEqual(['angular', 'cosine'])
    expect(saved.metrics.angular.best).toMatchObject({ start: 4, end: 8 })
    expect(findSchemaProblem('similarity', { ...saved, metric: 'l1' })).toContain('/metric')
    expect(findSchemaProblem('similarity', { ...saved, metrics: { l1: saved.metrics.angular } })).toContain('/metrics')
  })

  it("cuts the first metric's block, in PruneMe's file and the slices too", async () => {
    const csv = readFileSync(join(cwd, 'euclidean/layer_distances.csv'), 'utf8').trim().split('\n')
    expect(csv[0]).toBe('block_start,block_end,average_distance')
    expect(csv.slice(1).map((row) => Number(row.split(',')[2]))).toEqual(read('euclidean/similarity.json').distances[4])
    const ranges = (yaml: string) =>
      parse(yaml).slices.map((slice: { sources: { layer_range: number[] }[] }) => slice.sources[0]!.layer_range)
    const kept = [
      [0, 3],
      [7, 12],
    ]
    expect(ranges(readFileSync(join(cwd, 'euclidean/slice.yaml'), 'utf8'))).toEqual(kept)
    const slices = await runProgram(['slice-config', '--from', 'euclidean/similarity.json'], { cwd })
    expect(ranges(slices.stdout)).toEqual(kept)
  })

  it('changes no number and no word of the default, whatever is measured beside it', async () => {
    const [alone, named] = await Promise.all([
      similarity('--output', 'alone'),
      similarity('--output', 'named', '--metric', 'angular,relative-magnitude'),
    ])
    const { metrics, run, ...rest } = read('named/similarity.json')
    const { run: _, ...ofAlone } = read('alone/similarity.json')
    expect(rest).toEqual(ofAlone)
    expect(Object.keys(metrics)).toEqual(['relative-magnitude'])
    expect(named.stdout).toContain('relative-magnitude chooses layers 4..7 as angular does.')
    const endOf = ({ stdout }: { stdout: string }) => withoutAdvice(stdout).split('\n').slice(-14)
    expect(endOf(named).join('\n').replace('named/', 'alone/')).toBe(endOf(alone).join('\n'))
    for (const file of ['layer_distances.csv', 'slice.yaml', 'distances.svg']) {
      expect(readFileSync(join(cwd, 'named', file), 'utf8')).toBe(readFileSync(join(cwd, 'alone', file), 'utf8'))
    }
  })

  it('is kept by shards and by merge', async () => {
    const flags = ['--metric', 'euclidean,angular,cosine', '--output', 'shards', '--shard']
    await Promise.all([similarity(...flags, '1/2'), similarity(...flags, '2/2')])
    const files = [1, 2].map((index) => `shards/similarity.shard-${index}-of-2.json`)
    const { exitCode, stdout } = await runProgram(['merge', ...files, '--quiet'], { cwd })
    expect(exitCode).toBe(0)
    expect(stdout).not.toContain('Add --verify')
    expect(withoutAdvice(stdout).replace('layerprune-output/', 'euclidean/')).toBe(withoutAdvice(euclidean.stdout))
  })

  it('stops with --until by the first metric', async () => {
    const { exitCode, stdout } = await similarity(
      '--metric',
      'cosine,euclidean',
      '--until',
      '0.9',
      '--output',
      'until',
      '--json',
    )
    expect(exitCode).toBe(0)
    const { metric, certainty, best, distances, metrics } = JSON.parse(stdout)
    expect({ metric, test: certainty.test }).toEqual({ metric: 'cosine', test: 'sequential' })
    expect(certainty.confidence).toBeGreaterThan(0.9)
    expect(best.distance).toBe(Math.min(...distances[4]))
    expect(metrics.euclidean.distances[4]).toHaveLength(9)
  })

  it('can be drawn, each metric', async () => {
    const plot = (...args: string[]) =>
      runProgram(['plot', '--from', 'euclidean/similarity.json', '-o', 'plot.svg', ...args], { cwd })
    const title = () => /<title>(.*?)<\/title>/.exec(readFileSync(join(cwd, 'plot.svg'), 'utf8'))![1]
    expect((await plot()).exitCode).toBe(0)
    expect(title()).toMatch(/^Euclidean distance by start layer .* for layers 3\.\.6$/)
    expect((await plot('--metric', 'cosine', '--kind', 'heatmap')).exitCode).toBe(0)
    expect(title()).toMatch(/^Cosine distance of every block .*: layers 4\.\.7, 0\.0\d+$/)
    const { exitCode, stderr } = await plot('--metric', 'block-influence')
    expect(exitCode).toBe(2)
    expect(stderr).toContain('the result has no metric block-influence: it has euclidean, angular and cosine')
  })

  it('is in the report', async () => {
    const { exitCode, stdout } = await runProgram(['report', 'euclidean/similarity.json', '-o', '-'], { cwd })
    expect(exitCode).toBe(0)
    expect(stdout).toContain('<p class="headline" aria-live="polite">Nearest block: layers 3..6</p>')
    expect(stdout).toMatch(
      /<tr class="best"><td>euclidean<\/td><td>3\.\.6<\/td>.*<tr><td>angular<\/td><td>4\.\.7<\/td><td>0\.1064 ± 0\.\d+<\/td><td>≠ other<\/td>/,
    )
    expect(stdout).toContain('Euclidean distance is the length of what the block adds')
  })

  it('is what check looks at', async () => {
    const { exitCode, stdout, stderr } = await runProgram(
      ['check', '--from', 'euclidean/similarity.json', '--max-distance', '20', '--expect', '3:7'],
      { cwd },
    )
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout).toMatch(/holds: the distance of layers 3\.\.6 is 1\d\.\d+ ± \d\.\d+: expected at most 20/)
  })

  it.each([
    ['angula', 'metric must be angular, cosine, block-influence, relative-magnitude or euclidean, found angula'],
    ['angular,', 'or euclidean, found nothing'],
    ['angular,angular', 'metric angular is named more than once'],
  ])('refuses %s', async (names, message) => {
    const { exitCode, stdout, stderr } = await runProgram(
      ['similarity', '--model', LLAMA, '--dataset', TEXTS, '--layers-to-skip', '1', '--metric', names],
      { cwd },
    )
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(stderr.split('\n')[0]).toMatch(/^error: /)
  })
})
