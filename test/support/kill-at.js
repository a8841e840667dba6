/**
 * Ends a program as if it were killed, for `NODE_OPTIONS=--import`: KILL_AT is how many changes of files, by opening for
 * writing, renaming or removing, whose path contains KILL_NEAR, it may make before that. Without KILL_AT it says at its
 * end how many it made.
 */

import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

const { KILL_NEAR, KILL_AT } = process.env
let changes = 0

function count(path) {
  if (!`${path}`.includes(KILL_NEAR)) return
  if (`${changes}` === KILL_AT) process.kill(process.pid, 'SIGKILL')
  changes++
}

const { open, rename, rm } = promises
promises.open = (path, flags, ...rest) => {
  if (flags !== undefined && flags !== 'r') count(path)
  return open(path, flags, ...rest)
}
promises.rename = (from, to) => {
  count(to)
  return rename(from, to)
}
promises.rm = (path, options) => {
  count(path)
  return rm(path, options)
}
syncBuiltinESMExports()
process.on('exit', () => {
  if (KILL_AT === undefined) process.stderr.write(`changes: ${changes}\n`)
})
