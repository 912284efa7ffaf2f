import Table from 'cli-table3'

import {color} from './color.js'
import {sanitizeLine} from './sanitize.js'

type Cell = string | number | bigint | boolean | null | undefined

/** A header for each column and how its cell is read from a row. Headers may change; only JSON is a contract. */
export type Columns<Row> = Record<string, (row: Row) => Cell>

/** Borderless, so that it greps; unstyled, because cli-table3 paints even into pipes. */
export function renderTable<Row>(rows: readonly Row[], columns: Columns<Row>): string {
  const table = new Table({
    head: Object.keys(columns).map((name) => color.bold(name.toUpperCase())),
    chars: Object.fromEntries(edges.map((edge) => [edge, ''])),
    style: {head: [], border: [], 'padding-left': 0, 'padding-right': 2},
  })
  table.push(...cells(rows, columns))
  return table.toString().replaceAll(/ +$/gm, '')
}

/** One row per line, tab-separated, no header: for cut(1) and awk(1). Tabs and newlines inside a cell are `\t` and `\n`. */
export const renderPlain = <Row>(rows: readonly Row[], columns: Columns<Row>): string =>
  cells(rows, columns)
    .map((row) => row.join('\t'))
    .join('\n')

const cells = <Row>(rows: readonly Row[], columns: Columns<Row>): string[][] =>
  rows.map((row) => Object.values(columns).map((cell) => sanitizeLine(String(cell(row) ?? ''))))

const edges =
  'top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right left left-mid right right-mid mid mid-mid middle'.split(
    ' ',
  )
