import {describe, expect, it} from 'vitest'

import {checkFunction, checkRecordSize, needsOf, runChecks} from '../../../src/lib/esm/preflight.js'
import {wanted} from '../../support/esm-world.js'

const facts = {arn: 'a', state: 'Active', stateReason: null, timeoutSeconds: 60, role: 'r'}

describe('preflight', () => {
  it('takes what cannot be asked for not checkable, not for failed', async () => {
    const checks = await runChecks({
      good: async () => undefined,
      bad: async () => ({status: 'failed', detail: 'no'}),
      far: () => Promise.reject(new Error('no route')),
    })

    expect(checks).toEqual([
      {check: 'good', status: 'ok', detail: ''},
      {check: 'bad', status: 'failed', detail: 'no'},
      {check: 'far', status: 'unknown', detail: 'no route'},
    ])
  })

  it.each([
    ['is there', facts, undefined],
    ['is missing', undefined, 'failed'],
    ['failed', {...facts, state: 'Failed', stateReason: 'image'}, 'failed'],
    ['is being made', {...facts, state: 'Pending'}, 'warning'],
    ['may run for 15 minutes', {...facts, timeoutSeconds: 900}, 'warning'],
  ])('a function that %s', (_, found, status) => expect(checkFunction('f', found)?.status).toBe(status))

  it('asks for the actions of one topic and one group, and for the network only with on-demand pollers', () => {
    const needs = needsOf(wanted('f', 'orders')).map(({action, resource}) => `${action} ${resource.split(':').at(-1)}`)
    const provisioned = needsOf(wanted('f', 'orders', {settings: {pollers: {min: 1}}}))

    expect(needs).toContain('kafka-cluster:ReadData topic/demo/1a2b3c4d-1111-2222-3333-444455556666-s1/orders')
    expect(needs).toContain('kafka-cluster:AlterGroup group/demo/1a2b3c4d-1111-2222-3333-444455556666-s1/f.orders')
    expect(needs).toContain('ec2:CreateNetworkInterface *')
    expect(provisioned.filter(({action}) => action.startsWith('ec2:'))).toEqual([])
  })

  it('warns of a topic whose largest records do not fit into an event', () => {
    expect(checkRecordSize('t', 1_048_588)).toBeUndefined()
    expect(checkRecordSize('t', 8_388_608)).toMatchObject({status: 'warning', detail: expect.stringContaining('never delivered')})
  })
})
