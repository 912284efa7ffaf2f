import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {json} from 'node:stream/consumers'

import {afterEach, expect, it, onTestFinished, vi} from 'vitest'

import {cloudWatchLog, type LogLine} from '../../../src/lib/aws/function-logs.js'

afterEach(() => {
  vi.unstubAllEnvs()
})

const access = {
  region: 'us-east-1',
  endpointUrl: undefined,
  credentials: async () => ({accessKeyId: 'test', secretAccessKey: 'test'}),
  timeoutMs: 5_000,
}

/** CloudWatch Logs, as far as FilterLogEvents goes, with these answers one after the other. */
async function scripted(...answers: {status?: number; body: object}[]): Promise<any[]> {
  const asked: any[] = []
  const server = createServer(async (request, response) => {
    asked.push(await json(request))
    const {status = 200, body} = answers.shift() ?? {body: {events: []}}
    response.writeHead(status, {'content-type': 'application/x-amz-json-1.1'})
    response.end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  vi.stubEnv('AWS_ENDPOINT_URL_CLOUDWATCH_LOGS', `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  return asked
}

const event = (id: string, timestamp: number, message: string) => ({eventId: id, timestamp, message})

async function all(lines: AsyncIterable<LogLine>): Promise<LogLine[]> {
  const found: LogLine[] = []
  for await (const line of lines) found.push(line)
  return found
}

const once = {since: 1000, follow: false, signal: new AbortController().signal}

it('reads all pages since a time', async () => {
  const asked = await scripted(
    {body: {events: [event('1', 1500, 'one\n')], nextToken: 't'}},
    {body: {events: [event('2', 1600, 'two\n')]}},
  )

  expect(await all(cloudWatchLog(access, 'orders', once))).toEqual([
    {timestamp: 1500, message: 'one'},
    {timestamp: 1600, message: 'two'},
  ])
  expect(asked).toEqual([
    {logGroupName: '/aws/lambda/orders', startTime: 1000},
    {logGroupName: '/aws/lambda/orders', startTime: 1000, nextToken: 't'},
  ])
})

it('looks again at what is young, and shows it once', async () => {
  const asked = await scripted(
    {body: {events: [event('1', 20_000, 'one')]}},
    {body: {events: [event('1', 20_000, 'one'), event('late', 15_000, 'late')]}},
  )
  const stop = new AbortController()
  const found: string[] = []

  for await (const {message} of cloudWatchLog(access, 'orders', {...once, follow: true, signal: stop.signal})) {
    found.push(message)
    if (message === 'late') stop.abort()
  }

  expect(found).toEqual(['one', 'late'])
  expect(asked.map(({startTime}) => startTime)).toEqual([1000, 10_000])
})

it('has nothing of a function that never ran', async () => {
  await scripted({status: 400, body: {__type: 'ResourceNotFoundException', message: 'no such group'}})

  expect(await all(cloudWatchLog(access, 'orders', once))).toEqual([])
})

it('says who may not read', async () => {
  await scripted({
    status: 400,
    body: {
      __type: 'AccessDeniedException',
      message: 'User: arn:aws:iam::1:user/u is not authorized to perform: logs:FilterLogEvents on resource: arn:x',
    },
  })

  await expect(all(cloudWatchLog(access, 'orders', once))).rejects.toMatchObject({
    message: '"arn:aws:iam::1:user/u" may not do logs:FilterLogEvents on "arn:x"',
    exitCode: 4,
  })
})
