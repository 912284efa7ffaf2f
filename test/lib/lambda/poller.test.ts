import {describe, expect, it} from 'vitest'

import {functionError, ok, record, records, world} from './mapping-world.js'

describe('a poller', () => {
  it('delivers every record and commits behind the last', async () => {
    const mapping = world({logs: [records(0, 250)]})

    await mapping.run()

    expect(mapping.calls.map((call) => call.records.length)).toEqual([100, 100, 50])
    expect(mapping.committed).toEqual(new Map([[0, 250]]))
  })
  it('bisect', async () => {
    const mapping = world({
      logs: [records(0, 1000)],
      rules: {batchSize: 1000, bisect: true, maximumRetryAttempts: 0},
      handler: ({has}) => (has(0, 617) ? functionError : ok),
      destination: () => {},
    })

    await mapping.run()

    expect(mapping.calls.length).toBe(21)
    expect(mapping.givenUp[0]!.records).toEqual([record(0, 617)])
  })
})
