import { execFileSync } from 'node:child_process'
import { beforeAll, describe, expect, it } from 'vitest'
import { WRAPPERS } from '../../src/files/checkpoint/known-models.js'
import { ARCHITECTURES } from '../../src/files/gguf/architectures.js'
import { findWrittenArchitecture } from '../../src/files/gguf/write/find-architecture.js'
import { isKnownFamily } from '../../src/jobs/export/transformers-js.js'
import { hasArchitectureFile } from '../../src/jobs/prune/mergekit-support.js'
import { FAMILIES } from '../../src/model/families/table.js'
import { ROOT } from '../support/paths.js'
import { expectSameBesidesRounding, readDemo, readFenced, readPage, readSection } from '../support/shown-text.js'

const types = Object.keys(FAMILIES).sort()
const wrappers = Object.keys(WRAPPERS)
  .filter((type) => WRAPPERS[type]!.refused === undefined && types.includes(WRAPPERS[type]!.text))
  .sort()

describe('the README', () => {
  let demo: string
  beforeAll(() => {
    demo = execFileSync(process.execPath, ['examples/demo.js'], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: 'pipe',
    })
  })

  it('shows how the output of the demo ends, examples/README.md all of it', () => {
    expectSameBesidesRounding(demo.trim(), readDemo().shown)
    expectSameBesidesRounding(/^Nearest block:[\s\S]*? -o \S+$/m.exec(demo)![0], readFenced('README.md', 'demo'))
  })

  it('shows the picture that the demo draws', () => {
    expectSameBesidesRounding(readPage('layerprune-output/distances.svg'), readPage('examples/distances.svg'))
  })

  it('says how many models are read', () => {
    expect(readSection('README.md', 'count')).toMatch(
      new RegExp(`^${types.length} families .* ${wrappers.length} kinds of models`),
    )
  })
})

describe('docs/models.md', () => {
  it('names every family that is read from safetensors', () => {
    const rows = readSection('docs/models.md', 'families').split('\n').slice(2)
    expect(rows).toEqual(
      types.map((type) => {
        const { title, notes } = FAMILIES[type]!
        const special = [
          ...(isKnownFamily(type) ? ['transformers.js'] : []),
          ...(findWrittenArchitecture(type) ? ['llama.cpp'] : []),
        ]
        const runners = special.join(', ') || 'ONNX Runtime'
        return `| \`${type}\` | ${title} | ${notes} | ${runners} | ${hasArchitectureFile(type) ? 'yes' : ''} |`
      }),
    )
  })

  it('names every architecture that is read from GGUF', () => {
    const rows = readSection('docs/models.md', 'architectures').split('\n').slice(2)
    expect(rows).toEqual(
      Object.entries(ARCHITECTURES)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, { family, variant }]) => {
          const families = [family, ...(variant ? [variant.architecture.family] : [])]
          return `| \`${name}\` | ${families.map((type) => `\`${type}\``).join(' or ')} |`
        }),
    )
  })

  it('names every model that holds such a decoder', () => {
    const rows = readSection('docs/models.md', 'wrappers').split('\n').slice(2)
    expect(rows.map((row) => /^\| `(\w+)` \| .*`(\w+)` \|$/.exec(row)!.slice(1))).toEqual(
      wrappers.map((type) => [type, WRAPPERS[type]!.text]),
    )
  })
})
