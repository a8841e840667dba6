import { UsageError } from '../../base/errors.js'
import { splitShare } from './split-share.js'
import { publicNameOf } from './web-file.js'

/** A file, folder or dataset on the Hub, and the share of the texts that comes from it. */
export interface DatasetShare {
  /** As the user named it, without the share. */
  id: string
  /** Above 0; all shares of a dataset add up to 1. */
  share: number
  /** Configuration, split and commit of a dataset on the Hub; files have none. */
  config?: string | null
  split?: string | null
  revision?: string | null
}

/**
 * Reads shares such as `a.jsonl:0.7` from paths. A path that exists as it is named has none, whatever it ends in.
 * @returns the shares, scaled to add up to 1; undefined if no path has one
 * @throws UsageError if one path has a share and another has none, or a share is not above 0
 */
export function readShares(paths: string[]): DatasetShare[] | undefined {
  const read = paths.map(readShare)
  const shares = read.filter((part): part is DatasetShare => part.share !== undefined)
  if (shares.length === 0) return undefined
  const without = read.find(({ share }) => share === undefined)
  if (without !== undefined) {
    const [name, other] = [without, shares[0]!].map(({ id }) => publicNameOf(id))
    throw new UsageError(`dataset ${name} has no share, but ${other} has one`, {
      hint: `give each dataset a share, for example ${name}:0.5, or none`,
    })
  }
  const sum = shares.reduce((total, { share }) => total + share, 0)
  return shares.map(({ id, share }) => ({ id, share: share / sum }))
}

function readShare(path: string): { id: string; share: number | undefined } {
  const split = splitShare(path)
  if (split === undefined) return { id: path, share: undefined }
  const { id, digits } = split
  const share = Number(digits)
  if (share > 0 && Number.isFinite(share)) return { id, share }
  throw new UsageError(`dataset ${publicNameOf(path)}: expected a share above 0, found ${digits}`)
}

/** Rows of which a share is taken. */
export interface MixedRows<T> {
  share: number
  rows: AsyncGenerator<T>
}

/**
 * Mixes rows so that each start of the result has the shares as nearly as whole texts allow: the next text is of the
 * source that is furthest behind its share, the first of several. Rows without text precede the text that they precede
 * in their source. Ends with the first source that has no more text when it is next.
 * @param sources  whose shares add up to 1
 * @param onEnd  called with the number of that source and how many of its texts were taken
 */
export async function* mixRows<T>(
  sources: MixedRows<T>[],
  isText: (row: T) => boolean,
  onEnd: (source: number, texts: number) => void,
): AsyncGenerator<T> {
  const taken = sources.map(() => 0)
  try {
    for (let texts = 1; ; texts++) {
      const behind = sources.map(({ share }, source) => share * texts - taken[source]!)
      const next = behind.indexOf(Math.max(...behind))
      let hasText = false
      while (!hasText) {
        const { value, done } = await sources[next]!.rows.next()
        if (done) return onEnd(next, taken[next]!)
        yield value
        hasText = isText(value)
      }
      taken[next]!++
    }
  } finally {
    for (const { rows } of sources) await rows.return(undefined)
  }
}
