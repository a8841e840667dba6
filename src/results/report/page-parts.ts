import { formatJson } from '../../base/clean-text.js'
import type { Block } from '../../model/layers/block.js'
import { includesLayer } from '../../model/layers/blocks.js'
import { formatLayers } from '../../model/layers/names.js'
import type { BaseModel } from '../documents/similarity-result.js'
import type { TableColumn } from '../documents/table-column.js'
import { escapeXml } from './svg.js'

/** A picture of all layers in a row, the removed ones filled. */
export function renderStrip(layers: number, removed: Block[]): string {
  const cells = Array.from(
    { length: layers },
    (_, layer) => `<i${includesLayer(removed, layer) ? ' class="goes"' : ''}></i>`,
  )
  const label = `${layers} layers, of which ${removed.map(formatLayers).join(', ')} are removed`
  return (
    `<div class="strip"><div class="layers" role="img" aria-label="${label}">${cells.join('')}</div>` +
    `<div class="ends" aria-hidden="true"><span>layer 0</span><span>${layers - 1}</span></div></div>`
  )
}

/**
 * A table of the columns that the page has.
 * @param label  for screen readers
 * @param className  of the box that scrolls, if it has one of its own
 * @param layers  of the whole model, if each row has a picture of them after its name
 */
export function renderTable<Row extends { removed: Block[] }>(
  columns: TableColumn<Row>[],
  rows: Row[],
  {
    label,
    className,
    layers,
    isBest,
  }: { label: string; className?: string; layers?: number; isBest: (row: Row) => boolean },
): string {
  const shown = columns.flatMap(({ title, cell, page }) =>
    page === undefined
      ? []
      : [
          {
            title: escapeXml(page.title ?? title),
            isWide: page.isWide,
            html: (row: Row) => escapeXml(cell(row)),
          },
        ],
  )
  if (layers !== undefined) {
    const html = ({ removed }: Row) => (removed.length === 0 ? '' : renderStrip(layers, removed))
    const afterName = shown.findIndex(({ title }) => title === 'removed') + 1
    shown.splice(afterName, 0, { title: '', isWide: true, html })
  }
  const classOf = ({ isWide = false }) => (isWide ? ' class="wide-cell"' : '')
  const heads = shown.map((column) => `<th scope="col"${classOf(column)}>${column.title}</th>`)
  const lines = rows.map((row) => {
    const cells = shown.map((column) => `<td${classOf(column)}>${column.html(row)}</td>`)
    return `<tr${isBest(row) ? ' class="best"' : ''}>${cells.join('')}</tr>`
  })
  return `<div class="scroll${className === undefined ? '' : ` ${className}`}" tabindex="0" role="region" aria-label="${label}"><table><thead><tr>${heads.join('')}</tr></thead>
<tbody>${lines.join('')}</tbody></table></div>`
}

/** Text with a title and a button that copies it; the kind is its class. */
export function renderCopy(kind: 'yaml' | 'command', title: string, text: string): string {
  return `<div class="copied ${kind}"><div class="caption"><h4>${title}</h4><button type="button" class="copy">Copy</button></div><pre tabindex="0" aria-label="${title}">${escapeXml(text)}</pre></div>`
}

/** A picture with an HTML caption and buttons that save it as files of a name. */
export function renderFigure(name: string, caption: string, picture: string): string {
  return `<figure data-name="${escapeXml(name)}"><figcaption><span>${caption}</span><span class="save"><button type="button" data-as="svg">SVG</button><button type="button" data-as="png">PNG</button></span></figcaption>${picture}</figure>`
}

/** A name that can be a file's: letters, digits and dashes. */
export function fileName(...parts: string[]): string {
  return parts
    .map((part) => part.split(/[\\/]/).at(-1)!)
    .join('-')
    .replace(/[^\w.-]+/g, '-')
}

/** Names and values, one per line; those without a value are omitted. */
export function renderFacts(facts: [name: string, value: string | number | null | undefined][]): string {
  const lines = facts
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `<div><dt>${name}</dt><dd>${escapeXml(String(value))}</dd></div>`)
  return `<dl class="facts">${lines.join('')}</dl>`
}

/** What an adapter is merged into, as a fact; none of a whole model. */
export function nameBase({ base }: { base?: BaseModel | undefined }): [name: string, value: string][] {
  if (base === undefined) return []
  return [['merged into', base.revision === null ? base.id : `${base.id} at ${base.revision}`]]
}

/** JSON that can stand inside a script element. */
export function renderData(value: unknown): string {
  return `<script type="application/json" class="data">${formatJson(value).replaceAll('<', '\\u003c')}</script>`
}
