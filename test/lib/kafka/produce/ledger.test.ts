import fc from 'fast-check'
import {describe, expect, it} from 'vitest'

import {closingLine, Ledger} from '../../../../src/lib/kafka/produce/ledger.js'

const event = fc.record({
  kind: fc.constantFrom('acked' as const, 'rejected' as const, 'unknown' as const, 'unsent' as const),
  records: fc.nat(50),
})

describe('the closing line', () => {
  it('adds up, whatever happened', () => {
    fc.assert(
      fc.property(fc.array(event), (events) => {
        const ledger = new Ledger()
        for (const {kind, records} of events) {
          ledger.read(records)
          if (kind === 'acked') ledger.acked(records)
          if (kind === 'unknown') ledger.unknown(records)
          if (kind === 'rejected') for (let i = 0; i < records; i++) ledger.rejected({source: 'f', line: i, reason: 'r'})
        }

        const [read, ...parts] = closingLine(ledger.counts()).match(/\d+/g)!.map(Number)
        const sumOf = (kind: string) => events.reduce((sum, {kind: is, records}) => sum + (is === kind ? records : 0), 0)
        expect(parts).toEqual(['acked', 'rejected', 'unknown', 'unsent'].map(sumOf))
        expect(read).toBe(parts.reduce((sum, part) => sum + part, 0))
      }),
    )
  })

  it('is one line of five numbers', () => {
    expect(closingLine({read: 10, acked: 7, rejected: 1, unknown: 0, unsent: 2})).toBe(
      '10 read = 7 acked + 1 rejected + 0 unknown + 2 unsent',
    )
  })
})
