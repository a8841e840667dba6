import { execFileSync, execSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ROOT } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

/** npm installs the tarball itself; else it is unpacked by hand, which needs no network. */
const BY_NPM = process.env.LAYERPRUNE_INSTALL === 'npm'

export interface Installed {
  /** A user's folder that held nothing before. */
  folder: string
  /** Where the package lies in it. */
  unpacked: string
}

/** Packs what is built, as `npm publish` would, and installs the tarball in an empty folder. */
export function installPacked(): Installed {
  const folder = makeTempFolder()
  const tarballs = makeTempFolder()
  execSync(`npm pack --ignore-scripts --silent --pack-destination "${tarballs}"`, {
    cwd: ROOT,
    stdio: 'pipe',
  })
  const tarball = join(tarballs, readdirSync(tarballs)[0]!)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'empty', type: 'module', private: true }))
  const unpacked = join(folder, 'node_modules/layerprune')
  if (BY_NPM) {
    execSync(`npm install --ignore-scripts --no-audit --no-fund "${tarball}"`, {
      cwd: folder,
      stdio: 'pipe',
    })
  } else {
    mkdirSync(unpacked, { recursive: true })
    execFileSync('tar', ['-xzf', '-', '--strip-components', '1'], {
      cwd: unpacked,
      input: readFileSync(tarball),
    })
    for (const name of Object.keys(dependencies)) linkDependency(name, folder)
  }
  return { folder, unpacked }
}

/** Only what package.json declares is there, so that what it forgets is missed. */
function linkDependency(name: string, folder: string): void {
  const link = join(folder, 'node_modules', name)
  mkdirSync(dirname(link), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules', name), link, 'junction')
}
