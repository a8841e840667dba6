import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { FAMILIES } from '../src/graph/build/families.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string) => readFileSync(`${root}/${path}`, 'utf8')
const NUMBER = /\d+\.\d+/g

/** Equal text, and numbers equal to what the last printed digit can differ by on another processor. */
function expectSameBesidesRounding(found: string, expected: string): void {
  expect(found.replace(NUMBER, '#')).toBe(expected.replace(NUMBER, '#'))
  const numbers = (text: string) => [...text.matchAll(NUMBER)].map(([number]) => Number(number))
  const differences = numbers(found).map((number, index) => Math.abs(number - numbers(expected)[index]!))
  expect(Math.max(...differences)).toBeLessThan(0.011)
}

describe('the README', () => {
  let demo: string
  beforeAll(() => {
    demo = execFileSync(process.execPath, ['examples/demo.js'], {
      cwd: root,
      encoding: 'utf8',
      stdio: 'pipe',
    })
  })

  it('shows what the demo prints', () => {
    const shown = /<!-- demo: .* -->\n```text\n([\s\S]*?)\n```\n<!-- \/demo -->/.exec(read('README.md'))
    expect(shown).not.toBeNull()
    expectSameBesidesRounding(demo.trim(), shown![1]!)
  })

  it('shows the picture that the demo draws', () => {
    expectSameBesidesRounding(read('layerprune-output/distances.svg'), read('examples/distances.svg'))
  })

  it('names every family that is read from safetensors', () => {
    const shown = /<!-- models: .* -->\n([\s\S]*?)\n<!-- \/models -->/.exec(read('README.md'))
    const rows = shown![1]!.split('\n').slice(2)
    expect(rows).toEqual(
      Object.keys(FAMILIES)
        .sort()
        .map((type) => `| \`${type}\` | ${FAMILIES[type]!.title} | ${FAMILIES[type]!.notes} |`),
    )
  })
})
