import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { SimilarityResult } from '../../src/index.js'
import { makeTempFolder } from '../support/temp-folder.js'
import { describeWithQemu, qemu } from './needs.js'

/** Has AVX2, and none of the instructions that add up products of int8 in 32 bits. */
const CPU = 'Haswell,vendor=GenuineIntel'

/** Sums that overflow move a distance by 1.7e-3 here; those in another order round a few tokens the other way. */
const WITHOUT_OVERFLOW = 1e-4

describeWithQemu('x86 without VNNI', () => {
  it('computes the distances of q8 that this processor does', { timeout: 300_000 }, () => {
    const here = measure([process.execPath])
    const there = measure([qemu, '-cpu', CPU, process.execPath])
    expect(there).toHaveLength(here.length)
    for (const [start, distance] of there.entries()) {
      expect(Math.abs(distance - here[start]!)).toBeLessThan(WITHOUT_OVERFLOW)
    }
  })
})

function measure([program, ...before]: string[]): number[] {
  const output = makeTempFolder()
  const model = ['--model', 'examples/model', '--dtype', 'q8', '--threads', '1']
  const texts = ['--dataset', 'examples/texts.jsonl', '--dataset-size', '4', '--max-length', '48']
  const flags = [...model, ...texts, '--layers-to-skip', '4', '--output', output, '--quiet']
  execFileSync(program!, [...before, 'bin/layerprune.js', 'similarity', ...flags], { stdio: 'pipe' })
  const result = JSON.parse(readFileSync(join(output, 'similarity.json'), 'utf8')) as SimilarityResult
  return result.blocks.map(({ distance }) => distance)
}
