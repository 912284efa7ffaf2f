import {afterAll, beforeAll, expect, it} from 'vitest'

import {cleanHome, type Home, skk} from '../support/skk.js'

let home: Home
beforeAll(async () => {
  home = await cleanHome()
  await home.local()
})
afterAll(() => home.remove())

const run = (line: string, input?: string) => skk(line.split(' '), {home, ...(input !== undefined && {input})})

it('a fault is added, happens, is listed with its hits, and cleared', async () => {
  await run('topics create orders')

  const added = await run('local faults add --action close --when after --api Produce --topic orders')
  expect(added).toMatchObject({code: 0, stdout: 'added fault 1\n'})

  // The record is stored once although its answer was lost.
  expect(await run('produce orders', 'a\n')).toMatchObject({code: 0})
  expect((await run('consume orders')).stdout).toBe('a\n')
  const listed = await run('local faults list --plain')
  expect(listed.stdout).toBe('1\tclose\tafter\tProduce\torders\tall\tall\t1\t1\t1\n')
  expect(JSON.parse((await run('local faults list --json')).stdout)).toMatchObject([{id: 1, action: 'close', hits: 1}])

  expect(await run('local faults clear --id 2')).toMatchObject({code: 3})
  expect(await run('local faults clear')).toMatchObject({code: 0, stdout: 'cleared 1 fault\n'})
  expect((await run('local faults list')).stderr).toContain('no faults')
})

it('what is wrong with a fault is said before it is sent', async () => {
  const {code, stderr} = await run('local faults add --action error --api Produce')

  expect(stderr).toContain('error: the fault "error" needs an API and an error code')
  expect(code).toBe(2)
  expect(await run('local faults add --action close --dry-run')).toMatchObject({code: 0})
  expect((await run('local faults list')).stdout).toBe('')
})

it('without a stack is exit 3', async () => {
  expect(await run('local faults list --data-dir nowhere')).toMatchObject({code: 3})
})
