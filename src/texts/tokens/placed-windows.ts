import type { PlacedRow, ReadPosition } from './placed-rows.js'
import type { Encode } from './tokenizer.js'
import { type BatchOptions, type TextWindow, windowTexts } from './windows.js'

/** A window with the position after its last text. */
export interface PlacedWindow extends Omit<TextWindow, 'last'> {
  end: ReadPosition
}

export interface PlacedWindowOptions extends BatchOptions {
  /** Batches of the window that starts after so many texts of the dataset. */
  windowBatches: (rows: number) => number
}

/**
 * Makes windows that depend only on where they start, so that a run can be taken up there.
 * @param start  where the first window starts
 */
export async function* windowPlacedTexts(
  rows: AsyncIterable<PlacedRow>,
  start: ReadPosition,
  encode: Encode,
  options: PlacedWindowOptions,
): AsyncGenerator<PlacedWindow> {
  const windowBatches = (last?: PlacedRow) => options.windowBatches((last?.end ?? start).rows)
  for await (const { last, ...window } of windowTexts(rows, encode, options, windowBatches)) {
    yield { ...window, end: last.end }
  }
}
