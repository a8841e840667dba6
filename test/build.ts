import { execFileSync } from 'node:child_process'

/** Tests that spawn the program run what is built: build it first, so that it is never an older one. */
export function setup(): void {
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' })
}
