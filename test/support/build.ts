import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { ROOT } from './paths.js'

const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')

/** Tests that spawn the program run what is built: build it first, so that it is never an older one. */
export function setup(): void {
  execFileSync(process.execPath, [TSC, '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
}
