import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { measureSimilarity } from '../../../src/index.js'
import { mergeShards } from '../../../src/jobs/similarity/merge-shards.js'
import type { SimilarityResult } from '../../../src/results/documents/similarity-result.js'
import { EXAMPLES } from '../../support/paths.js'
import { type Outcome, runProgram } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const model = join(EXAMPLES, 'model')
const dataset = join(EXAMPLES, 'texts.jsonl')
const OPTIONS = { model, dataset, datasetSize: 4, maxLength: 16, threads: 1 }

describe('similarity without a size', () => {
  const cwd = makeTempFolder()
  const saved = join(cwd, 'layerprune-output/similarity.json')
  let outcome: Outcome
  let result: SimilarityResult
  beforeAll(async () => {
    outcome = await runProgram(
      [
        ...['similarity', '--model', model, '--dataset', dataset, '--dataset-size', '4'],
        ...['--max-length', '16', '--threads', '1'],
      ],
      { cwd },
    )
    result = JSON.parse(readFileSync(saved, 'utf8'))
  })

  it('names the nearest block of every size, and gives the keys of one size those of one layer', () => {
    expect(Object.keys(result.bestBlocks!)).toEqual(Array.from({ length: 11 }, (_, index) => `${index + 1}`))
    for (const [n, { start, end, distance }] of Object.entries(result.bestBlocks!)) {
      expect(end - start).toBe(Number(n))
      expect(distance).toBe(Math.min(...result.distances[n]!))
      expect(result.distances[n]![start]).toBe(distance)
    }
    expect(result).toMatchObject({ layersToSkip: 1, best: result.bestBlocks![1] })
  })

  it('prints them, and how to measure what they cost, and writes no slices', () => {
    const { exitCode, stdout, stderr } = outcome
    expect(exitCode).toBe(0)
    expect(stdout.split('\n').filter((line) => /^\| +\d+ \|/.test(line))).toHaveLength(11)
    expect(stdout).toContain('angular distance across blocks of every size')
    expect(stdout).toContain('layerprune sweep --model ')
    expect(stderr).toContain('slice.yaml describes one block: give --layers-to-skip')
    expect(readdirSync(join(cwd, 'layerprune-output'))).toEqual(['similarity.json'])
  })

  it('makes --from and check ask for a size', async () => {
    const slices = await runProgram(['slice-config', '--from', saved], { cwd })
    expect(slices.exitCode).toBe(2)
    expect(slices.stderr).toContain('has the nearest block of every size: choose one size')
    const { exitCode, stdout } = await runProgram(['slice-config', '--from', saved, '--layers-to-skip', '4'], {
      cwd,
    })
    expect(exitCode).toBe(0)
    expect(stdout).toContain('(0-based, 4 of 12)')
    const check = await runProgram(['check', '--from', saved, '--max-distance', '0.5'], { cwd })
    expect({ exitCode: check.exitCode, stdout: check.stdout }).toEqual({ exitCode: 2, stdout: '' })
  })

  it('does so in shards that are merged too', async () => {
    const shards = []
    for (const index of [1, 2]) {
      const result = await measureSimilarity({ ...OPTIONS, shard: { index, count: 2 } })
      shards.push({ file: `${index}.json`, result })
    }
    const merged = mergeShards(shards)
    expect(Object.keys(merged.bestBlocks!)).toEqual(Object.keys(result.bestBlocks!))
    expect(merged.bestBlocks![4]!.start).toBe(result.bestBlocks![4]!.start)
  })

  it.each([
    [['--verify', '2'], '--verify requires --layers-to-skip'],
    [['--until', '0.9'], '--until requires --layers-to-skip'],
  ])('refuses %j', async (flags, message) => {
    const { exitCode, stderr } = await runProgram(['similarity', '--model', model, '--dataset', dataset, ...flags], {
      cwd,
    })
    expect(exitCode).toBe(2)
    expect(stderr).toContain(message)
  })
})
