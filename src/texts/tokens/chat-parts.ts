import type { ChatTemplate } from './chat-template.js'
import { tryTemplate } from './chat-writer.js'

/** What a chat template writes around the texts of a chat. */
export interface ChatParts {
  /** Before the first turn of a chat that has no system text. */
  start: string
  /** Around the system text with which a chat begins; undefined if there may be none. */
  system: Around | undefined
  user: Around
  assistant: Around
  /** Begins the turn that the model writes. */
  opening: string
}

type Around = [before: string, after: string]
type Role = 'system' | 'user' | 'assistant'
type Turn = [role: Role, content: string]

/** Words that no template writes, in which nothing can be trimmed or escaped. */
const [SYSTEM, FIRST, ANSWER, SECOND] = ['Qsystemq', 'Qfirstq', 'Qanswerq', 'Qsecondq']
/** Chats that the parts must give as the template does. */
const PROOFS: Turn[][] = [
  [['user', 'Two lines:\n"a" & <b>']],
  [
    ['user', 'One?'],
    ['assistant', 'Yes, {{ one }}.'],
    ['user', 'Two?'],
    ['assistant', 'No\n\nno.'],
    ['user', 'Three?'],
  ],
]

/**
 * Finds the parts of a chat template that writes each turn alike, whatever came before it.
 * @returns undefined if it writes chats in another way, for example if it drops earlier reasoning
 */
export async function findChatParts(
  template: ChatTemplate,
  signal?: AbortSignal | undefined,
): Promise<ChatParts | undefined> {
  const write = (turns: Turn[], isOpen: boolean) =>
    tryTemplate({ ...template, turns: turns.map(([role, content]) => ({ role, content })), isOpen }, signal)
  const asked: Turn[] = [['user', FIRST]]
  const answered: Turn[] = [...asked, ['assistant', ANSWER]]
  const closed = await write(asked, false)
  const open = await write(asked, true)
  const whole = splitAt(await write([...answered, ['user', SECOND]], true), [FIRST, ANSWER, SECOND])
  const end = splitAt(await write(answered, false), [FIRST, ANSWER])?.at(-1)
  if (closed === undefined || open === undefined || whole === undefined || end === undefined) return undefined
  const opening = withoutStart(open, closed)
  const afterUser = opening === undefined ? undefined : withoutEnd(whole[3]!, opening)
  const beforeUser = withoutStart(whole[2]!, end)
  const beforeAnswer = afterUser === undefined ? undefined : withoutStart(whole[1]!, afterUser)
  const start = beforeUser === undefined ? undefined : withoutEnd(whole[0]!, beforeUser)
  if (opening === undefined || afterUser === undefined || beforeUser === undefined) return undefined
  if (beforeAnswer === undefined || start === undefined) return undefined
  const parts: ChatParts = {
    ...{ start, opening, user: [beforeUser, afterUser], assistant: [beforeAnswer, end] },
    system: findSystem(await write([['system', SYSTEM], ...asked], true), beforeUser),
  }
  const proofs = parts.system === undefined ? PROOFS : PROOFS.flatMap((turns) => [turns, withSystem(turns)])
  for (const turns of proofs) if ((await write(turns, true)) !== join(parts, turns)) return undefined
  return parts
}

function withSystem(turns: Turn[]): Turn[] {
  return [['system', 'Be "brief".\nBe kind.'], ...turns]
}

function findSystem(text: string | undefined, beforeUser: string): Around | undefined {
  const [before, between] = splitAt(text, [SYSTEM, FIRST]) ?? []
  const after = between === undefined ? undefined : withoutEnd(between, beforeUser)
  return before === undefined || after === undefined ? undefined : [before, after]
}

/** What is around words that a text has once each, in this order. */
function splitAt(text: string | undefined, words: string[]): string[] | undefined {
  const parts = text?.split(new RegExp(words.join('|')))
  const isInOrder =
    parts?.length === words.length + 1 && text === parts.map((part, i) => part + (words[i] ?? '')).join('')
  return isInOrder ? parts : undefined
}

function withoutStart(text: string, start: string): string | undefined {
  return text.startsWith(start) ? text.slice(start.length) : undefined
}

function withoutEnd(text: string, end: string): string | undefined {
  return text.endsWith(end) ? text.slice(0, text.length - end.length) : undefined
}

function join(parts: ChatParts, turns: Turn[]): string {
  const start = turns[0]![0] === 'system' ? '' : parts.start
  const texts = turns.map(([role, content]) => parts[role]!.join(content))
  return start + texts.join('') + parts.opening
}
