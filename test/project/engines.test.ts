import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { EXAMPLES, LLAMA, PROGRAM, ROOT, TEXTS } from '../support/paths.js'
import { runProgram } from '../support/run-program.js'
import { makeTempFolder } from '../support/temp-folder.js'

const ENGINES = join(EXAMPLES, 'engines')

/** A folder with `layerprune` in it, first on the path. */
function withProgramOnPath(cwd: string): NodeJS.ProcessEnv {
  mkdirSync(join(cwd, 'bin'))
  symlinkSync(PROGRAM, join(cwd, 'bin/layerprune'))
  return { ...process.env, HF_HUB_OFFLINE: '1', PATH: `${join(cwd, 'bin')}${delimiter}${process.env.PATH}` }
}

it('the Slurm array and a shell line as in Kubernetes measure shards that merge', async () => {
  const cwd = makeTempFolder()
  const env = withProgramOnPath(cwd)
  const slurm = {
    ...env,
    MODEL: LLAMA,
    DATASET: TEXTS,
    OUTPUT: 'out',
    LAYERS_TO_SKIP: '1',
    SLURM_ARRAY_TASK_ID: '1',
    SLURM_ARRAY_TASK_COUNT: '2',
    SLURM_CPUS_PER_TASK: '1',
  }
  await promisify(execFile)('bash', [join(ENGINES, 'slurm.sh')], { cwd, env: slurm })
  const job = parse(readFileSync(join(ENGINES, 'kubernetes.yaml'), 'utf8'))
  const [line] = job.spec.template.spec.containers[0].args as [string]
  const here = line
    .replace('/data/model', LLAMA)
    .replace('/data/texts.parquet', TEXTS)
    .replace('--layers-to-skip 8', '--layers-to-skip 1')
    .replace(`/${job.spec.completions}"`, '/2"')
    .replace(`--threads ${job.spec.template.spec.containers[0].resources.requests.cpu}`, '--threads 1')
    .replace('/data/out', 'out')
  await promisify(execFile)('sh', ['-c', here], { cwd, env: { ...env, JOB_COMPLETION_INDEX: '1' } })
  const files = ['out/similarity.shard-1-of-2.json', 'out/similarity.shard-2-of-2.json']
  const alone = await runProgram(['slice-config', '--from', files[0]!], { cwd })
  expect(alone.stderr).toContain(`${files[0]} covers only shard 1 of 2`)
  const merged = await runProgram(['merge', ...files, '-o', 'out', '--json'], { cwd })
  expect(merged.stderr).toContain('wrote similarity.json, layer_distances.csv, distances.svg and slice.yaml to out')
  const whole = await runProgram(
    ['similarity', '--model', LLAMA, '--dataset', TEXTS, '--layers-to-skip', '1', '--json'],
    { cwd },
  )
  const [found, expected] = [merged, whole].map(({ stdout }) => JSON.parse(stdout))
  expect(found.dataset).toEqual(expected.dataset)
  expect(found.best.start).toBe(expected.best.start)
  expect(Math.abs(found.best.distance - expected.best.distance)).toBeLessThan(1e-12)
})

/** A folder first on the path with a layerprune that writes its arguments to `calls`, and other stand-ins. */
function withStandIns(cwd: string, scripts: Record<string, string>): NodeJS.ProcessEnv {
  const bin = join(cwd, 'bin')
  mkdirSync(bin)
  const record = `#!/bin/bash\nprintf '%s\\n' "$(printf '<%s>' "$@")" >> "${join(cwd, 'calls')}"`
  for (const [name, script] of Object.entries({ layerprune: record, ...scripts })) {
    writeFileSync(join(bin, name), script, { mode: 0o755 })
  }
  // Node reads a script without an extension as the nearest package.json says, be it that of the system's folder
  writeFileSync(join(bin, 'package.json'), '{"type": "commonjs"}')
  return { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` }
}

it('the lines that start the Slurm array merge what it writes, whatever the folder is called', async () => {
  const cwd = makeTempFolder()
  // prints the job, or runs what --wrap holds in a shell with the environment, as Slurm does
  const sbatch = '#!/bin/bash\nif [[ $1 == --parsable ]]; then echo 7; else echo "$1"; sh -c "$3"; fi'
  const env = withStandIns(cwd, { sbatch })
  mkdirSync(join(cwd, 'my out'))
  for (const index of [1, 2]) writeFileSync(join(cwd, `my out/similarity.shard-${index}-of-2.json`), '')
  const comment = /^# {3}export .*\n(?:# {3}.*\n)+/m.exec(readFileSync(join(ENGINES, 'slurm.sh'), 'utf8'))![0]
  const lines = comment.replaceAll(/^# {3}/gm, '').replace('OUTPUT=...', "OUTPUT='my out'")
  const { stdout } = await promisify(execFile)('bash', ['-euc', lines], { cwd, env })
  expect(stdout).toBe('--dependency=afterok:7\n')
  expect(readFileSync(join(cwd, 'calls'), 'utf8')).toBe(
    '<merge><my out/similarity.shard-1-of-2.json><my out/similarity.shard-2-of-2.json><-o><my out>\n',
  )
})

it('GNU parallel is given paths with spaces whole', async () => {
  const cwd = makeTempFolder()
  // joins words for a shell unless it is to quote them, as GNU parallel does
  const parallel = `#!${process.execPath}
    const { execFileSync } = require('node:child_process')
    const args = process.argv.slice(2)
    for (const index of require('node:fs').readFileSync(0, 'utf8').trim().split('\\n')) {
      const words = args.slice(args.indexOf('layerprune')).map((word) => word.replace('{}', index))
      if (args.includes('--quote')) execFileSync(words[0], words.slice(1))
      else execFileSync('sh', ['-c', words.join(' ')])
    }`
  const env = withStandIns(cwd, { parallel })
  const named = { MODEL: 'my model', DATASET: 'my texts', OUTPUT: 'my out', SHARDS: '2' }
  await promisify(execFile)('bash', [join(ENGINES, 'parallel.sh')], { cwd, env: { ...env, ...named } })
  const shard = (index: number) =>
    `<similarity><--model><my model><--dataset><my texts><--layers-to-skip><8><--shard><${index}/2><--resume><--output><my out>`
  expect(readFileSync(join(cwd, 'calls'), 'utf8').split('\n').slice(0, 2)).toEqual([shard(1), shard(2)])
})

it('the workflow merges what its matrix measures', () => {
  const { jobs } = parse(readFileSync(join(ENGINES, 'github-actions.yml'), 'utf8'))
  expect(jobs.merge.needs).toBe('shard')
  expect(jobs.shard.strategy.matrix.shard).toEqual([1, 2, 3, 4])
})

it('what is pinned is the version of this package', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const pinned = readdirSync(ENGINES).flatMap((name) => [
    ...readFileSync(join(ENGINES, name), 'utf8').matchAll(/layerprune(?:\/layerprune)?[@:]v?(\S+)$/gm),
  ])
  expect(pinned.map(([, pin]) => pin)).toEqual(Array(4).fill(version))
})

it('merge says in one line why it cannot', async () => {
  const cwd = makeTempFolder()
  const { exitCode, stdout, stderr } = await runProgram(['merge', 'missing.json'], { cwd })
  expect([exitCode, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(/^error: missing\.json cannot be read/)
})
