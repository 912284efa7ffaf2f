import {describe, expect, it} from 'vitest'

import {settleAnswers} from '../../../src/lib/scaffold/answers.js'
import {fitOf, standingCost} from '../../../src/lib/scaffold/estimate.js'
import {findTemplate} from '../../../src/lib/scaffold/templates.js'

const template = await findTemplate('pattern-4')
const answers = settleAnswers(template, {name: 'orders'})

describe('standingCost', () => {
  it('is a poller unit and the alarms', () => {
    expect(standingCost(template, answers)).toMatchObject({dollars: expect.closeTo(135.05 + 0.7, 2), asOf: '2026-05-11'})
  })

  it('is less without pollers, and more with a secret', () => {
    const plain = standingCost(template, {...answers, provisioned: 'false'})
    const secret = standingCost(template, {...answers, auth: 'bearer'})

    expect(plain.dollars).toBeCloseTo(0.7, 2)
    expect(secret.dollars - standingCost(template, answers).dollars).toBeCloseTo(0.4, 2)
  })
})

describe('fitOf', () => {
  it('counts requests, time, pollers and data', () => {
    const {fits, estimate} = fitOf(template, answers, {rate: 100, size: 1000, hours: 24})

    const of = (what: string) => estimate.items.find((item) => item.what === what)!.dollars
    const seconds = 730 * 3600
    expect(fits).toBe(true)
    expect(of('requests to Lambda')).toBeCloseTo((seconds / 1e6) * 0.2, 2)
    expect(of('time of the function')).toBeCloseTo(seconds * 100 * 0.05 * 0.0000133334, 1)
    expect(of('data in and out of MSK')).toBeCloseTo(((seconds * 100 * 1000) / 1e9) * 0.15, 2)
  })

  it('counts calls with several records where it is not a mapping of Kafka that gathers them', async () => {
    const requests = async (name: string) => {
      const template = await findTemplate(name)
      const {estimate} = fitOf(template, settleAnswers(template, {name: 'orders'}), {rate: 100, size: 1000, hours: 24})
      return estimate.items.find(({what}) => what === 'requests to Lambda')!.dollars
    }

    expect(await requests('pattern-1')).toBeCloseTo(100 * (await requests('pattern-7')), 2)
  })

  it.each([
    ['a record that no event can hold', {rate: 1, size: 5_000_000, hours: 1}, 'cannot be delivered'],
    ['more than a cluster takes', {rate: 300_000, size: 1000, hours: 1}, 'more than a cluster takes'],
    ['steady high load', {rate: 1000, size: 100, hours: 24}, 'steady high load'],
  ])('objects to %s', (_, load, reason) => {
    expect(fitOf(template, answers, load)).toMatchObject({fits: false, reasons: [expect.stringContaining(reason)]})
  })
})
