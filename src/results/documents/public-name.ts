import { basename } from 'node:path'

/** Local paths are private, so only the file name is given; a Hub id is public. */
export function publicName(id: string): string {
  return id
    .split(', ')
    .map((path) => (/^[\w-][\w.-]*\/[\w.-]+$/.test(path) && !/\.\w+$/.test(path) ? path : basename(path)))
    .join(', ')
}
