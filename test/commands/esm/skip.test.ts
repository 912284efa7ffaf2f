import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import type {Local} from '../../../src/lib/local/index.js'
import {esmCli} from '../../support/esm-cli.js'
import {joinRequest, subscription} from '../../support/group-client.js'
import {until} from '../../support/lambda.js'
import {cleanHome, type Ended, type Home, skk, startSkk} from '../../support/skk.js'
import {wireClient} from '../../support/wire-client.js'

const JOIN_GROUP = 11

const HANDLER = `export const handler = async (event) => {
  const values = Object.values(event.records).flat().map(({value}) => Buffer.from(value, 'base64').toString())
  if (values.includes('poison')) throw new Error('cannot')
  console.log('GOT', values.join())
}`

let home: Home
let local: Local
beforeAll(async () => {
  home = await cleanHome()
  local = await home.local({plaintextPort: {wanted: 0, mayMove: true}})
  await writeFile(join(home.directory, 'work/index.mjs'), HANDLER)
  const {code, stderr} = await run('functions deploy --name f --handler index.handler')
  expect(code, stderr).toBe(0)
}, 60_000)
afterAll(() => home.remove())

const run = (line: string, options: {input?: string} = {}): Promise<Ended> => skk(line.split(' '), {home, ...options})
const json = async (line: string) => JSON.parse((await run(`${line} --json`)).stdout)

/** A mapping that stands before the second of three records, and its UUID. */
async function blocked(topic: string): Promise<string> {
  await run(`topics create ${topic}`)
  await run(`produce ${topic}`, {input: 'before\npoison\nafter\n'})
  const {uuid} = await json(`esm attach --function f --topic ${topic} --batch-size 1`)
  await committed(topic, 1)
  return uuid
}

const committed = (topic: string, offset: number) =>
  until(
    () => json(`groups describe f.${topic}`),
    ({partitions}) => partitions?.[0]?.committedOffset === offset,
    60_000,
  )

/** Somebody who joins the mapping's group and does nothing more. */
async function crowd(topic: string): Promise<void> {
  const client = await wireClient(local.plaintextBootstrap!)
  const protocols = [{name: 'range', metadata: subscription(topic)}]
  const request = joinRequest({groupId: `f.${topic}`, sessionTimeoutMs: 120_000, rebalanceTimeoutMs: 120_000, protocols})
  client.request(JOIN_GROUP, 3, request).catch(() => {})
  await until(
    () => json(`groups describe f.${topic}`),
    ({members}) => members?.length === 2,
    60_000,
  )
}

const stateOf = async (uuid: string): Promise<string> => (await json(`esm describe ${uuid}`)).state

describe('esm skip', {timeout: 120_000}, () => {
  it('goes past a poison record, and what comes after it arrives', async () => {
    const uuid = await blocked('orders')

    const {code, stdout, stderr} = await run('esm skip --function f --topic orders --partition 0 --to 2 --yes')
    await committed('orders', 3)

    expect(code, stderr).toBe(0)
    expect(stdout).toMatch(/TOPIC +PARTITION +PRIOR +NEW +DELTA +LAG BEFORE +LAG AFTER\norders +0 +1 +2 +\+1 +2 +1\n/)
    expect(stderr).toMatch(/paused mapping "f < orders"\nwhat was committed is in ".*"\nresumed mapping "f < orders"\n/)
    expect(await stateOf(uuid)).toBe('Enabled')
    expect((await run('functions logs f')).stdout).toContain('GOT after')
  })

  it('writes a file that undoes it', async () => {
    const uuid = await blocked('undone')
    const file = join(home.directory, 'undo.json')

    const skipped = await json(`esm skip ${uuid} --partition 0 --to +1 --yes --undo-file ${file}`)
    await committed('undone', 3)
    await run(`esm pause ${uuid}`)
    await until(
      () => json('groups describe f.undone'),
      ({members}) => members?.length === 0,
    )
    const reset = await run(`groups reset f.undone --from-file ${file} --yes`)

    expect(skipped).toMatchObject({result: 'skipped', prior: 1, new: 2, undoFile: file})
    expect(reset.stdout).toMatch(/undone +0 +3 +1 +-2/)
  })

  it('changes nothing with --dry-run, without an answer, or of what there is not', async () => {
    const uuid = await blocked('dry')

    expect(await json(`esm skip ${uuid} --partition 0 --to 2 --dry-run`)).toMatchObject({
      result: 'would skip',
      prior: 1,
      new: 2,
      delta: 1,
      undoFile: null,
    })
    expect(await run(`esm skip ${uuid} --partition 0 --to 2`)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('"Skip 1 record of topic "dry", partition 0, which "f" never gets?" needs an answer'),
    })
    expect(await run(`esm skip ${uuid} --partition 7 --to 1`)).toMatchObject({code: 3})
    expect(await run(`esm skip ${uuid} --partition 0 --to somewhere`)).toMatchObject({code: 2})
    expect(await run('esm skip')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('missing UUID and --partition and --to'),
    })
    expect(await stateOf(uuid)).toBe('Enabled')
    expect((await json('groups describe f.dry')).partitions[0].committedOffset).toBe(1)
  })

  it('resumes the mapping when the offset cannot be kept for the undo', async () => {
    const uuid = await blocked('kept')
    const file = join(home.directory, 'taken.json')
    await writeFile(file, 'mine')

    const {code, stderr} = await run(`esm skip ${uuid} --partition 0 --to 2 --yes --undo-file ${file}`)

    expect(code).toBe(9)
    expect(stderr).toMatch(/paused .*\nresumed .*\nerror: cannot write /s)
    expect(await stateOf(uuid)).toBe('Enabled')
    expect((await json('groups describe f.kept')).partitions[0].committedOffset).toBe(1)
  })

  it('resumes the mapping when somebody else stays in its group', async () => {
    const uuid = await blocked('crowded')
    await crowd('crowded')

    const reset = await run('groups reset f.crowded --topic crowded --to latest --yes')
    const {code, stderr} = await run(`esm skip ${uuid} --partition 0 --to 2 --yes --timeout 3s`)

    expect(reset).toMatchObject({
      code: 6,
      stderr: expect.stringContaining(`It is the group of mapping "f < crowded"; go past records with \`skk esm skip ${uuid}\``),
    })
    expect(code).toBe(8)
    expect(stderr).toMatch(/error: group "f\.crowded" is still \w+ with "/)
    expect(await stateOf(uuid)).toBe('Enabled')
  })

  it('Ctrl-C turns the mapping on again', async () => {
    const uuid = await blocked('stopped')
    await crowd('stopped')

    const running = startSkk(`esm skip ${uuid} --partition 0 --to 2 --yes`.split(' '), {home})
    await running.says(/paused mapping/)
    running.child.kill('SIGINT')
    const {code, stderr} = await running.ended

    expect(code).toBe(130)
    expect(stderr).toContain(`if it stays off, run \`skk esm resume ${uuid} --retry\``)
    await until(
      () => stateOf(uuid),
      (state) => state === 'Enabled',
    )
  })

  it('a mapping that was off stays off', async () => {
    const uuid = await blocked('off')
    await run(`esm pause ${uuid}`)

    const {code, stderr} = await run(`esm skip ${uuid} --partition 0 --to 2 --yes`)

    expect(code, stderr).toBe(0)
    expect(stderr).toContain(`turn it on with \`skk esm resume ${uuid}\``)
    expect(await stateOf(uuid)).toBe('Disabled')
    expect((await json('groups describe f.off')).partitions[0].committedOffset).toBe(2)
  })

  it('of a mapping that CloudFormation made is 6 without --force', async () => {
    const {esm, server} = await esmCli()
    const {UUID} = server.put('f', 'a', {Tags: {'aws:cloudformation:stack-name': 'shop'}})

    const {code, stderr} = await esm('skip', UUID, '--partition', '0', '--to', '1', '--yes')

    expect(code).toBe(6)
    expect(stderr).toContain('CloudFormation (stack "shop") made "f < a"')
    expect(server.count('update')).toBe(0)
  })
})
