import {afterAll, beforeAll, describe, expect, it, onTestFinished} from 'vitest'

import {end, eventually, start} from '../engines/processes.js'
import {type Asked, type Script, webServer} from './web-server.js'
import {type Deployed, type Deployment, motoCall, startMoto, startWorld, type World} from './world.js'

const PATIENCE_MS = 120_000

let world: World
let moto: Awaited<ReturnType<typeof startMoto>>
beforeAll(async () => {
  world = await startWorld()
  moto = await startMoto()
})
afterAll(async () => {
  await moto?.stop()
  await world?.stop()
})

const sqs = (action: string, body: unknown) => motoCall(moto.url, 'sqs', action, body)
const secrets = (action: string, body: unknown) => motoCall(moto.url, 'secretsmanager', action, body)

/** The pattern with a web server of that script and a queue for dead letters. */
async function pattern({environment = {}, ...options}: Deployment, script: Script) {
  const web = await webServer(script)
  onTestFinished(() => web.stop())
  const {QueueUrl} = await sqs('CreateQueue', {QueueName: `${options.name}-dead-letters`})
  const deployed: Deployed = await world.deployed('pattern-4', {
    ...options,
    environment: {
      ENDPOINT_URL: web.url,
      ALLOWED_HOSTS: '127.0.0.1',
      DLQ_URL: QueueUrl,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: moto.url,
      ...environment,
    },
  })
  onTestFinished(() => deployed.remove())
  const letters = async () => {
    const {Messages = []} = await sqs('ReceiveMessage', {QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 0})
    return Messages.map(({Body}: {Body: string}) => JSON.parse(Body))
  }
  const untilAsked = (wanted: (asked: Asked[]) => boolean) => eventually(async () => wanted(web.asked), PATIENCE_MS)
  return {web, deployed, letters, untilAsked}
}

/** `npm run local`, without npm: a signal reaches the script itself. */
async function runLocal({dir}: Deployed): Promise<{said(): string; stop(): Promise<void>}> {
  const child = start('node', ['scripts/local.mjs'], {cwd: dir, env: await world.shell()})
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text) => {
      said += text
    })
  return {said: () => said, stop: () => end(child)}
}

const numbered = (count: number) => Array.from({length: count}, (_, index) => String(index + 1))
const textOf = (base64: string) => Buffer.from(base64, 'base64').toString()

describe('pattern-4, behind a mapping of skk local', () => {
  it('tries again until the endpoint is back, with the same idempotency key', async () => {
    const {web, deployed, untilAsked} = await pattern({name: 'busy'}, (_, before) => (before.length < 2 ? 503 : 200))

    await deployed.produce(['a'])
    await untilAsked((asked) => asked.length >= 3)

    await deployed.produce(['b'])
    await untilAsked((asked) => asked.some(({body}) => body === 'b'))
    expect(web.bodies()).toEqual(['a', 'a', 'a', 'b'])
    expect(web.asked.map(({headers}) => headers['idempotency-key'])).toEqual([...Array(3).fill('busy-0-0'), 'busy-0-1'])
  })

  it('does not pass a record that fails, until the mapping has put it aside whole', async () => {
    const script: Script = ({body}) => (body === '5' ? 500 : 200)
    const {web, deployed, untilAsked} = await pattern({name: 'stuck', environment: {MAX_ATTEMPTS: '1'}}, script)

    await deployed.produce(numbered(10))
    await untilAsked((asked) => asked.some(({body}) => body === '10'))

    const bodies = web.bodies()
    const tried = bodies.filter((body) => body === '5')
    expect(tried.length).toBeGreaterThan(5)
    expect(bodies.indexOf('6')).toBeGreaterThan(bodies.lastIndexOf('5'))
    expect(bodies.filter((body) => body !== '5')).toEqual(numbered(10).filter((body) => body !== '5'))
    const [failed, ...others] = await world.records('stuck-failed')
    expect(others).toEqual([])
    const {payload} = JSON.parse(String(failed!.value))
    expect(payload.records['stuck-0'].map(({offset, value}: {offset: number; value: string}) => [offset, textOf(value)])).toEqual(
      [[4, '5']],
    )
    expect(await deployed.log()).toContain('"reason":"RetryableError: HTTP 500')
  })

  it('puts what the endpoint refuses into the queue, whole, and goes on', async () => {
    const {web, deployed, letters, untilAsked} = await pattern({name: 'refused'}, ({body}) => (body === '2' ? 422 : 200))

    await deployed.produce(numbered(3))
    await untilAsked((asked) => asked.length >= 3)

    expect(web.bodies()).toEqual(['1', '2', '3'])
    await eventually(async () => (await letters()).length > 0)
    const [letter] = await letters()
    expect(letter).toMatchObject({topic: 'refused', partition: 0, offset: 1, error: {message: 'HTTP 422'}})
    expect(textOf(letter.value)).toBe('2')
  })

  it('answers in time when the endpoint hangs, and delivers when it is back', async () => {
    const {web, deployed, untilAsked} = await pattern({name: 'hanging', flags: ['--function-timeout', '5s']}, () => undefined)

    await deployed.produce(numbered(3))
    await untilAsked((asked) => asked.length >= 2)
    web.script = () => 200
    await untilAsked((asked) => asked.some(({body}) => body === '3'))

    expect(new Set(web.bodies())).toEqual(new Set(numbered(3)))
    const log = await deployed.log()
    expect(log).toContain('will come again')
    expect(log).not.toMatch(/timed out after|Task timed out/)
  })

  it('follows no redirect into the network', async () => {
    const inside = await webServer(() => 200)
    onTestFinished(() => inside.stop())
    const targets: Record<string, string> = {metadata: 'http://169.254.169.254/latest/meta-data/', inside: inside.url}
    const {web, deployed, letters, untilAsked} = await pattern({name: 'redirected'}, ({body}, _, response) => {
      if (targets[body]) response.setHeader('location', targets[body])
      return targets[body] ? 307 : 200
    })

    await deployed.produce(['metadata', 'inside', 'direct'])
    await untilAsked((asked) => asked.length >= 3)

    expect(web.bodies()).toEqual(['metadata', 'inside', 'direct'])
    expect(inside.asked).toEqual([])
    await eventually(async () => (await letters()).length >= 2)
    const reasons = (await letters()).map(({error}: {error: {message: string}}) => error.message)
    expect(reasons).toEqual(['HTTP 307', 'HTTP 307'])
  })

  it('runs by `npm run local`, with an endpoint of its own', async () => {
    const {web, deployed, untilAsked} = await pattern({name: 'here'}, () => 200)
    await deployed.produce(['a'])
    await untilAsked((asked) => asked.length >= 1)

    const running = await runLocal(deployed)
    await eventually(async () => running.said().includes('POST / here-0-0 "a"'), PATIENCE_MS)
    await running.stop()
    expect(web.asked).toHaveLength(1)
  })

  it('is refused once when the secret was rotated', async () => {
    await secrets('CreateSecret', {Name: 'rotated-endpoint', SecretString: 'old'})
    let valid = 'old'
    const script: Script = ({headers}) => (headers.authorization === `Bearer ${valid}` ? 200 : 401)
    const {web, deployed, untilAsked} = await pattern({name: 'rotated', set: {auth: 'bearer'}}, script)
    await deployed.produce(['a'])
    await untilAsked((asked) => asked.length >= 1)

    await secrets('PutSecretValue', {SecretId: 'rotated-endpoint', SecretString: 'new'})
    valid = 'new'
    await deployed.produce(['b', 'c'])
    await untilAsked((asked) => asked.some(({body}) => body === 'c'))

    const seen = web.asked.map(({body, headers}) => [body, headers.authorization])
    expect(seen).toEqual([
      ['a', 'Bearer old'],
      ['b', 'Bearer old'],
      ['b', 'Bearer new'],
      ['c', 'Bearer new'],
    ])
  })
})
