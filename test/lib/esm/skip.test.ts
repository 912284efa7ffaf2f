import {expect, it} from 'vitest'

import {listMappings} from '../../../src/lib/aws/lambda.js'
import {SkkError} from '../../../src/lib/errors.js'
import {pauseOf, whilePaused} from '../../../src/lib/esm/skip.js'
import {lambdaOf, worldOf} from '../../support/esm-world.js'
import {type Fault, throttle} from '../../support/scripted-lambda.js'

const denied: Fault = {status: 403, type: 'AccessDeniedException', message: 'no'}

/** An enabled mapping, whose updates meet these faults, and what is done while it is paused. */
async function paused(faults: (Fault | undefined)[], work: () => Promise<unknown> = async () => 'done', {retry = false} = {}) {
  const server = await lambdaOf()
  const there = server.put('f', 't')
  server.script('update', ...faults)
  const world = await worldOf(server, {retry})
  const [mapping] = await listMappings(world.lambda)
  const result = await whilePaused(
    pauseOf(world, mapping!, async () => {}),
    work,
  ).catch((error: unknown) => error as SkkError)
  return {result, state: server.mappings.get(there.UUID)!.State, updates: server.count('update')}
}

const failing = async () => {
  throw new SkkError('no route', {code: 'NO_ROUTE', exit: 'unavailable'})
}

it('works while the mapping is off, and turns it on again', async () => {
  expect(await paused([])).toEqual({result: 'done', state: 'Enabled', updates: 2})
})

it('turns it on again when the work fails', async () => {
  expect(await paused([], failing)).toMatchObject({result: {message: 'no route'}, state: 'Enabled', updates: 2})
})

it('a mapping that could not be turned off is left alone', async () => {
  expect(await paused([denied])).toMatchObject({result: {exitCode: 4}, state: 'Enabled', updates: 1})
})

it('a pause whose answer was lost is taken back', async () => {
  expect(await paused([{reset: true, apply: true}])).toMatchObject({result: {exitCode: 5}, state: 'Enabled', updates: 2})
})

it('goes on trying to turn it on, also without --retry', async () => {
  expect(await paused([undefined, throttle(), throttle(), {reset: true}])).toEqual({result: 'done', state: 'Enabled', updates: 5})
})

it('says plainly that the mapping is off when it cannot be turned on, and how to', async () => {
  const done = await paused([undefined, denied])
  const undone = await paused([undefined, denied], failing)

  expect(done).toMatchObject({
    state: 'Disabled',
    result: {
      exitCode: 7,
      message: expect.stringMatching(/^the offset is committed, but mapping "f < t" is paused, for it could not be resumed: /),
      hint: expect.stringMatching(/^Run `skk esm resume [0-9a-f-]{36} --retry`/),
    },
  })
  expect(undone.result).toMatchObject({message: expect.stringMatching(/^no route; and mapping "f < t" is paused/)})
})
