import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { ROOT } from './support/paths.js'
import { expectSameBesidesRounding, readDemo, readPage } from './support/shown-text.js'

/** Plain JavaScript, so that `npm run docs` runs it as it is. */
const { countModels, formatFamilies, formatWrappers }: Record<string, () => string> = await import(
  pathToFileURL(join(ROOT, 'examples/model-tables.js')).href
)

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

  it('says how many models are read', () => {
    expect(readSection('README.md', 'count')).toBe(countModels!())
  })
})

describe('docs/models.md', () => {
  it('names every family that is read from safetensors, and every model that holds one', () => {
    expect(readSection('docs/models.md', 'families')).toBe(formatFamilies!())
    expect(readSection('docs/models.md', 'wrappers')).toBe(formatWrappers!())
  })
})

/** What `npm run docs` wrote between two comments of a page. */
function readSection(page: string, name: string): string | undefined {
  return new RegExp(`<!-- ${name}: .* -->\\n([\\s\\S]*?)\\n<!-- /${name} -->`).exec(readPage(page))?.[1]
}
