import type { Command } from 'commander'
import type { Block } from '../../model/layers/block.js'
import { parseBlocks } from '../../model/layers/blocks.js'
import { wholeNumber } from './arguments.js'

export interface RemovalFlags {
  start?: number
  end?: number
  drop?: Block[][]
  plan?: string[]
  from?: string[]
  layersToSkip?: number
}

const addPath = (path: string, before: string[] = []) => [...before, path]

/** Adds the flags that name the layers to remove; if `several`, --drop and --from are repeatable. */
export function addRemovalFlags(command: Command, { several = false } = {}): Command {
  const again = several ? '; repeatable, each a candidate' : ''
  return command
    .option('--start <layer>', 'first layer to remove, 0-based', wholeNumber(0))
    .option('--end <layer>', 'first layer after it to keep, 0-based', wholeNumber(1))
    .option(
      '--drop <ranges>',
      `layers to remove, 0-based: 11:19 or 11..18 for layers 11 to 18, 7 for one, several as 11:19,25..26${again}`,
      (text, before: Block[][] = []) => [...before, parseBlocks(text)],
    )
    .option(
      '--from <file>',
      `what was saved: remove the layers that a similarity result, sweep, evaluation, plan or a folder of prune names or recommends${again}`,
      addPath,
    )
    .option('--plan <file>', 'the same as --from', addPath)
    .option('--layers-to-skip <n>', 'with --from: size of the block (default: that of the saved run)', wholeNumber(1))
}
