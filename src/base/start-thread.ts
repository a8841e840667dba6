import { type ChildProcess, type ForkOptions, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Worker, type WorkerOptions } from 'node:worker_threads'
import { packageFile } from './package-file.js'

/**
 * Starts a thread. It always runs the built file: tests call this from the sources, which a thread cannot run.
 * @param file relative to the sources, with the extension that it has once it is built
 */
export function startThread(file: string, options: WorkerOptions): Worker {
  return new Worker(packageFile(`dist/${file}`), options)
}

/** Starts a process with a channel for messages; as with a thread, of the built file. */
export function startProcess(file: string, options: ForkOptions): ChildProcess {
  return fork(fileURLToPath(packageFile(`dist/${file}`)), [], options)
}
