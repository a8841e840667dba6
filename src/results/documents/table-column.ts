/** A column of a table, defined once for the terminal and the page. */
export interface TableColumn<Row> {
  /** In the terminal, and on the page unless `page` has another. */
  title: string
  align: 'left' | 'right'
  cell: (row: Row) => string
  /** Least width of the terminal's window, in columns, that has room for it; omitted if the terminal never shows it. */
  from?: number | undefined
  /** Omitted if the page never shows it. */
  page?: PageColumn | undefined
}

export interface PageColumn {
  title?: string
  /** Whether a narrow screen has no room for it. */
  isWide?: boolean
}
