import {expect, it} from 'vitest'

import {renderPlain, renderTable} from '../../../src/lib/output/table.js'

const rows = [
  {name: 'orders', partitions: 12, leader: null},
  {name: 'évènements\n', partitions: 1, leader: 0},
]
const columns = {
  name: (row: (typeof rows)[number]) => row.name,
  partitions: (row: (typeof rows)[number]) => row.partitions,
  leader: (row: (typeof rows)[number]) => row.leader,
}

it('a table is aligned, borderless, without colour or trailing blanks', () => {
  expect(renderTable(rows, columns)).toMatchInlineSnapshot(`
    "NAME          PARTITIONS  LEADER
    orders        12
    évènements\\n  1           0"
  `)
})

it('plain is one row per line, separated by tabs, without a header', () => {
  expect(renderPlain(rows, columns)).toBe('orders\t12\t\névènements\\n\t1\t0')
})
