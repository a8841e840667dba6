import { execFileSync } from 'node:child_process'
import { beforeAll, describe, expect, it } from 'vitest'
import { FAMILIES } from '../src/families/table.js'
import { ROOT } from './support/paths.js'
import { expectSameBesidesRounding, readDemo, readPage } from './support/shown-text.js'

describe('the README', () => {
  let demo: string
  beforeAll(() => {
    demo = execFileSync(process.execPath, ['examples/demo.js'], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: 'pipe',
    })
  })

  it('shows what the demo prints', () => {
    expectSameBesidesRounding(demo.trim(), readDemo().shown)
  })

  it('shows the picture that the demo draws', () => {
    expectSameBesidesRounding(readPage('layerprune-output/distances.svg'), readPage('examples/distances.svg'))
  })

  it('names every family that is read from safetensors', () => {
    const shown = /<!-- models: .* -->\n([\s\S]*?)\n<!-- \/models -->/.exec(readPage('README.md'))
    const rows = shown![1]!.split('\n').slice(2)
    expect(rows).toEqual(
      Object.keys(FAMILIES)
        .sort()
        .map((type) => `| \`${type}\` | ${FAMILIES[type]!.title} | ${FAMILIES[type]!.notes} |`),
    )
  })
})
