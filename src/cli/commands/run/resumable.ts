import { existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { digest } from '../../../base/digest.js'
import { InterruptedError, LayerpruneError } from '../../../base/errors.js'
import { StateFile } from '../../../jobs/run/state-file.js'
import type { RunRecord } from '../../../results/documents/run-record.js'
import { printNote, printWarning } from '../../terminal/output.js'
import { partialBeside } from './saved-runs.js'

/** What a job takes and gives to be resumed. */
interface Resuming<State> {
  resumeFrom: State | undefined
  onSaved: (state: State) => Promise<void>
}

interface Place<State> {
  path: string
  /** How the state is written and read. */
  form: StateForm<State>
  resume: boolean | undefined
}

export interface StateForm<State> {
  encode: (state: State) => string | Uint8Array
  /** @throws LayerpruneError if it is not the state of such a job */
  read: (path: string) => Promise<State>
}

/**
 * Runs a job, and what writes its result, with what it has found out so far in a file, from which `resume` continues.
 * The file is removed once that is done.
 * @throws LayerpruneError if the file that is to be resumed is of no such job; and as `work`
 */
export async function runResumable<State, Result = void>(
  { path, form, resume }: Place<State>,
  work: (resuming: Resuming<State>) => Promise<Result>,
): Promise<Result> {
  const resumeFrom = await findState({ path, resume }, form.read)
  const file = new StateFile(path, { encode: form.encode, onFailure: printWarning })
  try {
    const result = await work({ resumeFrom, onSaved: (state) => file.note(() => state) })
    await file.remove()
    return result
  } catch (error) {
    const isSaved = await file.save()
    const isResumed = resumeFrom !== undefined && error instanceof InterruptedError
    if (file.isWritten || isResumed) printWarning(describeKept(path, isSaved))
    throw error
  }
}

/**
 * States that are plain data, as JSON.
 * @param run   whose work it is, so that another run does not replace it unasked
 */
export function asJson<State>(run: RunRecord): StateForm<State> {
  return {
    encode: (state) => `${JSON.stringify({ run, ...state })}\n`,
    async read(path) {
      try {
        return JSON.parse(await readFile(path, 'utf8'))
      } catch (cause) {
        throw new LayerpruneError(`${path} is not the state of a stopped run: ${(cause as Error).message}`, {
          hint: 'start again without --resume',
          cause,
        })
      }
    },
  }
}

/** @param isSaved  whether all is in the file, or only what was known at an earlier time */
export function describeKept(path: string, isSaved: boolean, what = ''): string {
  return isSaved
    ? `what was measured so far${what} is in ${path}; --resume continues from it`
    : `only a part of what was measured so far is in ${path}; --resume continues from it`
}

/**
 * Where the state of a job is kept: beside its result or, if that is no file, in the working folder under a name that
 * depends on the flags, so that another job there does not take its place.
 */
export function partialPath(output: string | undefined, run: RunRecord): string {
  const isFile = output !== undefined && (!existsSync(output) || statSync(output).isFile())
  return isFile ? partialBeside(output) : `layerprune-${run.command}-${digest(run).slice(0, 8)}.partial.json`
}

/**
 * The state of a stopped run, if it is to be resumed and there is one; says which of these it is.
 * @param describe  where the run continues
 */
export async function findState<State>(
  { path, resume }: Omit<Place<State>, 'form'>,
  read: StateForm<State>['read'],
  describe: (state: State) => string = () => `from ${path}`,
): Promise<State | undefined> {
  if (!existsSync(path)) {
    if (resume) printNote(`there is no ${path} to resume: starting from the beginning`)
    return undefined
  }
  if (!resume) {
    printNote(`${path} of an earlier run will be overwritten; --resume would continue it`)
    return undefined
  }
  const state = await read(path)
  printNote(`continuing ${describe(state)}`)
  return state
}
