import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from './paths.js'

const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')

/**
 * Tests that spawn the program run what is built: build it first, so that it is never an older one. All tests share a
 * temporary directory of this run, so that programs that they kill leave nothing behind either.
 */
export default function setup(): () => void {
  execFileSync(process.execPath, [TSC, '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
  const folder = mkdtempSync(join(tmpdir(), 'layerprune-tests-'))
  process.env.TMPDIR = folder
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
}
