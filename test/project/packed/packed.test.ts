import { execFile, execFileSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { LONG_TESTS } from '../../support/long-tests.js'
import { ROOT } from '../../support/paths.js'
import { expectSameBesidesRounding, readDemo } from '../../support/shown-text.js'
import { makeTempFolder } from '../../support/temp-folder.js'
import { type Installed, installPacked } from './install.js'

const run = promisify(execFile)
const list = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll('\\', '/'),
    )

describe('the package as npm packs it', () => {
  let installed: Installed
  const home = makeTempFolder()
  beforeAll(() => {
    installed = installPacked()
  }, 300_000)

  const program = (args: string[]) => {
    const { bin } = JSON.parse(readFileSync(join(installed.unpacked, 'package.json'), 'utf8'))
    return execFileSync(process.execPath, [join(installed.unpacked, bin.layerprune), ...args], {
      cwd: installed.folder,
      encoding: 'utf8',
      stdio: 'pipe',
      env: { ...process.env, HF_HUB_OFFLINE: '1', NO_COLOR: '1', HOME: home },
    })
  }

  it('holds the program, its types, its schemas and what the README shows', () => {
    const packed = list(installed.unpacked).filter((name) => !name.startsWith('node_modules/'))
    const built = list(join(ROOT, 'src')).flatMap((name) =>
      ['js', 'd.ts'].map((kind) => `dist/${name.replace(/\.ts$/, '')}.${kind}`),
    )
    expect(built.filter((name) => !packed.includes(name))).toEqual([])
    expect(packed.filter((name) => !/^(dist|program)\//.test(name)).sort()).toEqual(
      [
        'CHANGELOG.md',
        'LICENSE',
        'README.md',
        ...readdirSync(join(ROOT, 'assets')).map((name) => `assets/${name}`),
        'bin/layerprune.js',
        'docs/images/heatmap.svg',
        'docs/images/report.png',
        'examples/distances.svg',
        'examples/sweep.svg',
        'package.json',
        ...readdirSync(join(ROOT, 'schemas')).map((name) => `schemas/${name}`),
      ].sort(),
    )
    const pictures = [
      ...readFileSync(join(installed.unpacked, 'README.md'), 'utf8').matchAll(
        /(?:!\[.*?\]\(|<img src=")((?!https?:).*?)[)"]/g,
      ),
    ]
    expect(pictures.length).toBeGreaterThan(0)
    expect(pictures.map(([, path]) => path!).filter((path) => !packed.includes(path))).toEqual([])
  })

  it('does the main job in an empty folder', () => {
    for (const name of ['model', 'texts.jsonl']) {
      cpSync(join(ROOT, 'examples', name), join(installed.folder, 'examples', name), { recursive: true })
    }
    const { commands, shown } = readDemo()
    const printed = commands.map((command) => `$ ${command}\n${program(command.split(' ').slice(1))}`)
    expectSameBesidesRounding(printed.join('\n').trim(), shown)
    program(['report', 'layerprune-output/similarity.json', '-o', 'report.html'])
    program(['prune', '--model', 'examples/model', '--from', 'layerprune-output/similarity.json', '-o', 'pruned'])
    expect(
      ['report.html', 'pruned/model.safetensors'].filter((name) => !existsSync(join(installed.folder, name))),
    ).toEqual([])
  })

  it('is a library, with schemas of what it writes', async () => {
    writeFileSync(
      join(installed.folder, 'use.js'),
      `import { measureSimilarity } from 'layerprune'
       import schema from 'layerprune/schemas/similarity.json' with { type: 'json' }
       const options = { model: 'examples/model', dataset: 'examples/texts.jsonl', datasetSize: 16, layersToSkip: 4 }
       const result = await measureSimilarity(options)
       console.log(JSON.stringify([result.best.start, schema.required.filter((key) => !(key in result))]))`,
    )
    const { stdout } = await run(process.execPath, ['use.js'], {
      cwd: installed.folder,
      env: { ...process.env, HOME: home },
    })
    expect(JSON.parse(stdout)).toEqual([4, []])
  })

  it('leaves no telemetry of ONNX Runtime', () => {
    const left = readdirSync(home, { recursive: true, encoding: 'utf8' })
    expect(left.filter((name) => name.includes('onnxruntime'))).toEqual([])
  })

  // the compiler takes seconds: CI asks for it where npm installs the package, and the nightly run does
  const resolutions: [module: string, moduleResolution: string][] = [
    ['nodenext', 'nodenext'],
    ['node16', 'node16'],
    ['esnext', 'bundler'],
  ]
  it.each(LONG_TESTS ? resolutions : [])(
    'has types for module %s, resolved as %s',
    async (module, moduleResolution) => {
      writeFileSync(
        join(installed.folder, 'use.ts'),
        `import { measureSimilarity, type SimilarityResult } from 'layerprune'
       const options = { model: 'm', dataset: 'd', layersToSkip: 4 }
       export const result: SimilarityResult = await measureSimilarity(options)
       // @ts-expect-error: a distance is a number
       export const text: string = result.best.distance`,
      )
      const flags = Object.entries({ module, moduleResolution, target: 'es2022' }).flatMap(([k, v]) => [`--${k}`, v])
      const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
      const { stdout } = await run(process.execPath, [tsc, '--noEmit', '--strict', ...flags, 'use.ts'], {
        cwd: installed.folder,
      }).catch((error) => error)
      expect(stdout).toBe('')
    },
  )
})
