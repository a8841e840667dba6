import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from './paths.js'

const STEPS = [['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], ['bundle.js']]

/**
 * Tests that spawn the program run what is built: build it first, so that it is never an older one. All tests share a
 * temporary directory of this run, so that programs that they kill leave nothing behind either.
 */
export default function setup(): () => void {
  for (const step of STEPS) execFileSync(process.execPath, step, { cwd: ROOT, stdio: 'inherit' })
  const folder = mkdtempSync(join(tmpdir(), 'layerprune-tests-'))
  process.env.TMPDIR = folder
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
}
