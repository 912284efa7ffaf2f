import {describe, expect, it} from 'vitest'

import {apis} from '../../../../src/lib/local/kafka/api/index.js'
import {decode, encode, Reader, Writer} from '../../../../src/lib/local/kafka/wire.js'
import {call, coordinator, joinRequest, stableGroup} from '../../../support/group-client.js'

type Side = 'request' | 'response'

const throughTheWire = (key: number, side: Side, version: number, message: object): object => {
  const writer = new Writer()
  encode(key, side, version, message, writer)
  return decode(key, side, version, new Reader(Buffer.concat(writer.chunks())))
}

/** All error codes in a response, wherever a version has them. */
const errorCodes = (response: unknown): number[] => {
  if (Buffer.isBuffer(response) || typeof response !== 'object' || response === null) return []
  return Object.entries(response).flatMap(([name, value]) => (name === 'errorCode' ? [value as number] : errorCodes(value)))
}

const partition = {partitionIndex: 0, committedOffset: 1, committedLeaderEpoch: 0, commitTimestamp: -1, committedMetadata: null}
const fetched = {groupId: 'g', topics: [{name: 'orders', partitionIndexes: [0]}]}

/** One request for each API, by a group's only member. */
const requests = (memberId: string): Record<number, object> => {
  const member = {groupId: 'g', generationId: 1, memberId, groupInstanceId: null}
  return {
    8: {
      ...member,
      groupId: 'simple',
      memberId: '',
      generationIdOrMemberEpoch: -1,
      retentionTimeMs: -1,
      topics: [{name: 'orders', partitions: [partition]}],
    },
    9: {...fetched, groups: [{...fetched, memberId: null, memberEpoch: -1}], requireStable: false},
    10: {key: 'g', keyType: 0, coordinatorKeys: ['g']},
    11: joinRequest({memberId}),
    12: member,
    13: {groupId: 'g', memberId, members: [{memberId, groupInstanceId: null, reason: null}]},
    14: {...member, protocolType: 'consumer', protocolName: 'range', assignments: []},
    15: {groups: ['g'], includeAuthorizedOperations: true},
    16: {statesFilter: [], typesFilter: []},
    42: {groupsNames: ['simple']},
    47: {groupId: 'simple', topics: [{name: 'orders', partitions: [{partitionIndex: 0}]}]},
  }
}

const served = apis
  .filter(({key}) => key in requests(''))
  .flatMap(({key, versions: [min, max]}) => {
    return Array.from({length: max - min + 1}, (_, index) => ({key, version: min + index}))
  })

describe.each(served)('API $key version $version', ({key, version}) => {
  async function answerTo(denied: string[]): Promise<number[]> {
    const {groups} = coordinator()
    const {memberId} = await stableGroup(groups)
    const commits = [{topic: 'orders', partition: 0, offset: 1, leaderEpoch: 0, metadata: '', timestamp: Date.now()}]
    for (const group of ['g', 'simple']) groups.replay({type: 'offset-commit', group, offsets: commits})
    const api = apis.find((each) => each.key === key)!
    const request = throughTheWire(key, 'request', version, requests(memberId)[key]!)
    const answered = api.handle(request, call(groups, version, denied))
    const response = throughTheWire(key, 'response', version, (await answered)!)
    groups.close()
    return errorCodes(response)
  }

  it('is answered', async () => {
    const codes = await answerTo([])

    expect(codes.length).toBeGreaterThan(0)
    expect(new Set(codes)).toEqual(new Set([0]))
  })

  it('is refused without permission for the group', async () => {
    const actions = ['DescribeGroup', 'AlterGroup', 'DeleteGroup'].flatMap((action) => [`${action} g`, `${action} simple`])

    const codes = await answerTo(actions)

    // ListGroups leaves out instead.
    expect(Math.max(...codes)).toBe(key === 16 ? 0 : 30)
  })
})
