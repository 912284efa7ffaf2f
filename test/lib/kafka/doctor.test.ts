import {readdirSync, readFileSync} from 'node:fs'
import {createServer} from 'node:http'
import {createRequire} from 'node:module'
import net from 'node:net'

import {describe, expect, it} from 'vitest'

import {SkkError} from '../../../src/lib/errors.js'
import {compare, OURS} from '../../../src/lib/kafka/doctor/api-versions.js'
import {connectFault, scopeOf} from '../../../src/lib/kafka/doctor/network.js'
import {type Check, type Diagnosis, diagnose} from '../../../src/lib/kafka/doctor.js'
import type {KafkaTarget} from '../../../src/lib/kafka/target.js'
import {Writer} from '../../../src/lib/kafka/wire.js'
import {authority} from '../../support/certificates.js'
import {fullBacklog} from '../../support/full-backlog.js'
import {namedBrokers} from '../../support/named-brokers.js'
import {stack} from '../../support/stack.js'
import {closedPort, forwarder, listening, sniRouter, socks5} from '../../support/tunnels.js'

describe('a healthy cluster', () => {
  it('passes every layer with IAM', async () => {
    const local = await stack()

    const {checks, failure} = await diagnose(iam(local.bootstrap))

    expect(failure).toBeUndefined()
    expect(told(checks)).toEqual([
      ['tcp', 'connected to 127.0.0.1'],
      ['sasl', 'access key "test" may connect, for 15 min'],
      ['apiVersions', expect.stringMatching(/^\d+ APIs$/)],
      ['metadata', '1 broker, controller 151, 0 topics'],
    ])
    expect(checks.every(({ms}) => ms >= 0 && ms < 10_000)).toBe(true)
  })

  it('passes without login, by a name', async () => {
    const local = await stack()

    const {checks, failure} = await diagnose(plain(local.plaintextBootstrap!.replace('127.0.0.1', 'localhost')))

    expect(failure).toBeUndefined()
    expect(checks[0]).toMatchObject({layer: 'dns', detail: expect.stringContaining('127.0.0.1 (loopback)')})
    // The broker names itself 127.0.0.1, so that address is looked at too.
    expect(new Set(checks.map(({target}) => target)).size).toBe(2)
  })

  it('passes with TLS, and its certificate is shown', async () => {
    const local = await stack({tls: true})

    const {checks, failure} = await diagnose({...iam(local.bootstrap), tls: true, ca: local.ca!})

    expect(failure).toBeUndefined()
    expect(checks.find(({layer}) => layer === 'tls')?.detail).toMatch(
      /^localhost, issued by skk local certificate authority, valid until \d{4}-\d\d-\d\d, has the name 127\.0\.0\.1$/,
    )
  })

  it('has all its brokers looked at, those of the metadata too', async () => {
    const local = await stack({brokers: 3})

    const {checks} = await diagnose(iam(local.bootstrap.split(',')[0]!))

    expect(new Set(checks.map(({target}) => target))).toEqual(new Set(local.bootstrap.split(',')))
    expect(checks.filter(({layer}) => layer === 'metadata')).toHaveLength(3)
  })
})

describe('DNS and TCP', () => {
  it('a name that does not exist', async () => {
    expect(await failureOf(plain('broker.invalid:9092'))).toEqual([
      'dns',
      5,
      'there is no name "broker.invalid"',
      expect.any(String),
    ])
  })

  it('a name of MSK Serverless that does not resolve: only inside its VPC', async () => {
    const name = 'boot-0.c1.kafka-serverless.invalid-1.amazonaws.com'

    const [layer, exit, cause, fix] = await failureOf({...iam(`${name}:9098`), tls: true})

    expect([layer, exit, cause]).toEqual(['dns', 5, `the name "${name}" does not resolve here`])
    expect(fix).toMatch(/only inside its VPC/)
  })

  it('a closed port', async () => {
    const address = `127.0.0.1:${await closedPort()}`

    const [layer, exit, cause, fix] = await failureOf(plain(address))

    expect([layer, exit, cause]).toEqual(['tcp', 5, `nothing listens on "${address}"`])
    expect(fix).toContain('`skk local start`')
  })

  it('a listener that accepts nothing, within the time given', async () => {
    const address = `127.0.0.1:${await fullBacklog()}`
    const startedAt = Date.now()

    const [layer, exit, cause] = await failureOf({...plain(address), timeoutMs: 400})

    expect([layer, exit, cause]).toEqual(['tcp', 5, `"${address}" does not answer`])
    expect(Date.now() - startedAt).toBeLessThan(9_000)
  })

  it('packets to MSK Serverless that are dropped: only inside its VPC', () => {
    const place = {host: 'boot-0.c1.kafka-serverless.us-east-1.amazonaws.com', port: 9098, target: iam('h:1')}

    const {message, hint} = connectFault(place, ['10.0.1.7', '10.0.2.7'], null)

    expect(message).toBe(`"${place.host}:9098" (10.0.1.7, 10.0.2.7) does not answer`)
    expect(hint).toMatch(/only inside its VPC/)
  })

  it.each([
    ['127.0.0.1', 'loopback'],
    ['10.255.0.1', 'private'],
    ['172.31.0.1', 'private'],
    ['172.32.0.1', 'public'],
    ['fd00::1', 'private'],
    ['2600:1f18::1', 'public'],
  ])('%s is %s', (address, scope) => {
    expect(scopeOf(address)).toBe(scope)
  })

  it('a broker of the metadata whose name means nothing here', async () => {
    const {ports} = await namedBrokers('plaintext', [{host: '127.0.0.1'}, {host: 'b-2.broker.invalid'}])

    const {checks, failure} = await diagnose(plain(`127.0.0.1:${ports['127.0.0.1']}`))

    expect(checks.filter(({target, ok}) => target.startsWith('127.') && !ok)).toEqual([])
    expect(failure?.message).toBe('there is no name "b-2.broker.invalid"')
  })
})

describe('TLS', () => {
  it('towards a port without', async () => {
    const local = await stack()

    const found = await failureOf({...plain(local.plaintextBootstrap!), tls: true})

    expect(found).toEqual([
      'tls',
      5,
      `"${local.plaintextBootstrap}" speaks Kafka without TLS`,
      expect.stringContaining('`--no-tls`'),
    ])
  })

  it.each(['iam', 'none'] as const)('missing towards a port with it, auth %s', async (auth) => {
    const local = await stack({tls: true})

    const [, exit, cause, fix] = await failureOf({...iam(local.bootstrap), auth})

    expect([exit, cause, fix]).toEqual([5, `"${local.bootstrap}" speaks TLS, and this connection does not`, 'Use `--tls`.'])
  })

  it('with a certificate that has expired', async () => {
    const {issue, caFile} = await authority()
    const {ports} = await namedBrokers('iam', [{host: '127.0.0.1', tls: await issue(['127.0.0.1'], {expiresInMs: -3_600_000})}])
    const address = `127.0.0.1:${ports['127.0.0.1']}`

    const [layer, exit, cause] = await failureOf({...iam(address), tls: true, ca: caFile})

    expect([layer, exit, cause]).toEqual(['tls', 5, expect.stringMatching(`the certificate of "${address}" expired on \\d{4}-`)])
  })

  it('with a certificate for other names', async () => {
    const {issue, caFile} = await authority()
    const {ports} = await namedBrokers('iam', [{host: '127.0.0.1', tls: await issue(['b-1.skk.test', 'b-2.skk.test'])}])
    const address = `127.0.0.1:${ports['127.0.0.1']}`

    const [layer, exit, cause] = await failureOf({...iam(address), tls: true, ca: caFile})

    expect([layer, exit, cause]).toEqual(['tls', 5, `the certificate of "${address}" is for b-1.skk.test, b-2.skk.test`])
  })

  it('with a certificate of an unknown authority, and no token is sent', async () => {
    const local = await stack({tls: true})

    const {checks, failure} = await diagnose({...iam(local.bootstrap), tls: true})

    expect(failure).toMatchObject({exitCode: 5, hint: expect.stringContaining('`--ca`')})
    expect(failure?.message).toMatch(/issued by skk local certificate authority, is not trusted here/)
    expect(checks.map(({layer}) => layer)).toEqual(['tcp', 'tls'])
  })

  it('towards a port that says nothing, within the time given', async () => {
    const address = `127.0.0.1:${await listening(net.createServer())}`

    const [layer, exit, cause] = await failureOf({...iam(address), tls: true, timeoutMs: 300})

    expect([layer, exit, cause]).toEqual(['tls', 5, `"${address}" does not answer the TLS handshake`])
  })
})

describe('SASL', () => {
  it('a wrong secret', async () => {
    const local = await stack()

    const [layer, exit, cause, fix] = await failureOf({...iam(local.bootstrap), credentials: keys('test', 'wrong')})

    expect([layer, exit, cause]).toEqual(['sasl', 4, `"${local.bootstrap}" refuses access key "test": Access denied`])
    expect(fix).toContain('`skk local env`')
  })

  it('a wrong secret, by a clock that is wrong too: the clock', async () => {
    const local = await stack()
    const endpoint = await clockAt(Date.now() - 7 * 60_000)

    const found = await failureOf({...iam(local.bootstrap), credentials: keys('test', 'wrong')}, endpoint)

    expect(found).toEqual([
      'sasl',
      4,
      `the clock of this machine is 7 min fast, so "${local.bootstrap}" refuses its logins`,
      'Set the clock, then run the same command again.',
    ])
  })

  it('a wrong secret, by a clock that is right: the key', async () => {
    const local = await stack()

    const [, , cause] = await failureOf({...iam(local.bootstrap), credentials: keys('test', 'wrong')}, local.endpoint)

    expect(cause).toMatch(/refuses access key/)
  })

  it('the wrong region', async () => {
    const local = await stack()

    const [layer, exit, cause, fix] = await failureOf({...iam(local.bootstrap), region: 'eu-west-1'})

    expect([layer, exit, cause]).toEqual([
      'sasl',
      4,
      `"${local.bootstrap}" refuses a login that is signed for region "eu-west-1"`,
    ])
    expect(fix).toContain('`--region`')
  })

  it('no credentials: what the provider says', async () => {
    const local = await stack()
    const expired = new SkkError('the AWS single sign-on session has expired', {
      code: 'CREDENTIALS_EXPIRED',
      exit: 'denied',
      hint: 'Run `aws sso login`, then the same command again.',
    })

    const found = await failureOf({...iam(local.bootstrap), credentials: () => Promise.reject(expired)})

    expect(found).toEqual(['sasl', 4, expired.message, expired.hint])
  })

  it('towards a port without login', async () => {
    const local = await stack()

    const found = await failureOf(iam(local.plaintextBootstrap!))

    expect(found).toEqual(['sasl', 4, `"${local.plaintextBootstrap}" takes no login`, 'Use `--auth none`.'])
  })

  it('missing towards a port with login', async () => {
    const local = await stack()

    const found = await failureOf(plain(local.bootstrap))

    expect(found).toEqual(['metadata', 4, `"${local.bootstrap}" wants a login`, 'Use `--auth iam`.'])
  })

  it('never shows a real access key in full', async () => {
    const {issue, caFile} = await authority()
    const {ports} = await namedBrokers('iam', [{host: '127.0.0.1', tls: await issue(['127.0.0.1'])}])
    const credentials = keys('AKIAIOSFODNN7EXAMPLE', 'secret')

    const [, , cause] = await failureOf({...iam(`127.0.0.1:${ports['127.0.0.1']}`), tls: true, ca: caFile, credentials})

    expect(cause).toMatch(/refuses access key "…MPLE"/)
  })
})

describe('API versions', () => {
  it('below the minima of MSK in 2022 are shown, and the rest goes on', async () => {
    const local = await stack({apiProfile: 'msk-2022'})

    const {apiVersions, checks, failure} = await diagnose(iam(local.bootstrap))

    expect(failure).toBeUndefined()
    const low = apiVersions.filter(({broker, ours}) => broker && ours[1] < broker[0])
    expect(low).toContainEqual(expect.objectContaining({api: 'OffsetCommit', broker: [6, 8], status: 'below minimum'}))
    expect(apiVersions.filter(({status}) => status !== 'ok')).toEqual(low)
    expect(checks.find(({layer}) => layer === 'apiVersions')?.detail).toMatch(/; OffsetCommit below minimum/)
  })

  it('are listed once for brokers that agree', async () => {
    const local = await stack({brokers: 3})

    const {apiVersions} = await diagnose(iam(local.bootstrap))

    expect(new Set(apiVersions.map(({target}) => target))).toEqual(new Set([local.bootstrap.split(',')[0]]))
  })

  it('without which nothing works are a failure', async () => {
    const address = `127.0.0.1:${await brokerWith([
      [0, 0, 9],
      [1, 4, 12],
      [2, 0, 6],
      [3, 8, 12],
      [18, 0, 3],
    ])}`

    const found = await failureOf(plain(address))

    expect(found).toEqual([
      'apiVersions',
      5,
      `"${address}" speaks version 8-12 of Metadata, and skk 4-7`,
      'Update skk with `npm install --global skk@latest`.',
    ])
  })

  it('that a broker does not have, or has too old, are told apart', () => {
    const statuses = compare('b:1', {3: {minVersion: 0, maxVersion: 2}, 18: {minVersion: 0, maxVersion: 3}})

    expect(statuses.find(({api}) => api === 'Metadata')?.status).toBe('above maximum')
    expect(statuses.find(({api}) => api === 'Produce')).toMatchObject({status: 'missing', broker: null})
    expect(statuses.find(({api}) => api === 'ApiVersions')?.status).toBe('ok')
  })
})

describe('the versions that skk is said to send', () => {
  /** `groups` commands send them in newer versions than kafkajs, which is what limits `consume --group`. */
  const sentByKafkajsToo = ['offset-commit.ts', 'find-coordinator.ts']
  const requests = readdirSync('src/lib/kafka/requests')
    .filter((file) => !sentByKafkajsToo.includes(file))
    .map((file) => readFileSync(`src/lib/kafka/requests/${file}`, 'utf8'))
    .map((source) => ({
      key: Number(/key: (\d+)/.exec(source)![1]),
      // The lower of two where the minimum depends on the request.
      min: Number(/versionOf\(\w+, API,.*?(\d+), \d+\)$/m.exec(source)![1]),
      max: Number(/versionOf\(\w+, API,.* (\d+)\)$/m.exec(source)![1]),
    }))

  it.each(requests)('are those of requests/, API $key', ({key, min, max}) => {
    expect(OURS.find((ours) => ours.key === key)?.versions, 'OURS in src/lib/kafka/doctor/api-versions.ts').toEqual([min, max])
  })

  it.each(OURS.filter(({key}) => !requests.some((request) => request.key === key)))(
    'are those of kafkajs where requests/ has none, $api',
    ({api, versions}) => {
      const name = `${api.charAt(0).toLowerCase()}${api.slice(1)}`
      const known = (
        createRequire(import.meta.url)(`kafkajs/src/protocol/requests/${name}`) as {versions: string[]}
      ).versions.map(Number)

      expect(versions).toEqual([Math.min(...known), Math.max(...known)])
    },
  )
})

describe('something else on the port', () => {
  it('that speaks another protocol', async () => {
    const address = `127.0.0.1:${await listening(createServer() as unknown as net.Server)}`

    expect(await failureOf(plain(address))).toEqual(['apiVersions', 5, `"${address}" does not speak Kafka`, expect.any(String)])
  })

  it('that takes connections and keeps silent, within the time given', async () => {
    const address = `127.0.0.1:${await listening(net.createServer())}`
    const startedAt = Date.now()

    const [layer, exit, cause] = await failureOf({...plain(address), timeoutMs: 300})

    expect([layer, exit, cause]).toEqual(['apiVersions', 5, `"${address}" takes connections but does not answer`])
    expect(Date.now() - startedAt).toBeLessThan(9_000)
  })

  it('that hangs up', async () => {
    const address = `127.0.0.1:${await listening(net.createServer((socket) => socket.end()))}`

    const [, exit, cause] = await failureOf(plain(address))

    expect([exit, cause]).toEqual([5, `"${address}" closed the connection`])
  })
})

describe('a tunnel', () => {
  it('stands for DNS and TCP, and brokers that only it knows are looked at', async () => {
    const {issue, caFile} = await authority()
    const {ports} = await namedBrokers('iam', [
      {host: 'b-1.skk.test', tls: await issue(['b-1.skk.test'])},
      {host: 'b-2.skk.test', tls: await issue(['b-2.skk.test'])},
    ])
    const router = await sniRouter(ports)
    const via = `tcp:127.0.0.1:${router.port}`

    const {checks, failure} = await diagnose({...iam(`b-1.skk.test:${ports['b-1.skk.test']}`), tls: true, ca: caFile, via})

    expect(failure).toBeUndefined()
    expect(told(checks)[0]).toEqual(['tunnel', `${via} answers`])
    expect(checks.filter(({layer}) => layer === 'metadata')).toHaveLength(2)
  })

  it('that leads to the wrong broker is told by the certificate', async () => {
    const {issue, caFile} = await authority()
    const {ports} = await namedBrokers('iam', [{host: 'b-1.skk.test', tls: await issue(['b-1.skk.test'])}])
    const via = `tcp:127.0.0.1:${await forwarder(ports['b-1.skk.test']!)}`

    const [layer, exit, cause, fix] = await failureOf({...iam('b-2.skk.test:9098'), tls: true, ca: caFile, via})

    expect([layer, exit, cause]).toEqual(['tls', 5, 'the certificate of "b-2.skk.test:9098" is for b-1.skk.test'])
    expect(fix).toBe(`Check that "${via}" leads to "b-2.skk.test".`)
  })

  it('that does not answer', async () => {
    const port = await closedPort()

    const [layer, exit, cause] = await failureOf({...plain('b-1.skk.test:9092'), via: `socks5://127.0.0.1:${port}`})

    expect([layer, exit, cause]).toEqual(['tunnel', 5, `the tunnel at "127.0.0.1:${port}" does not answer: connection refused`])
  })

  it('whose proxy cannot reach the broker', async () => {
    const {port} = await socks5({}, {reply: 5})

    const [layer, , cause] = await failureOf({...plain('b-1.skk.test:9092'), via: `socks5://127.0.0.1:${port}`})

    expect([layer, cause]).toEqual([
      'tunnel',
      `the tunnel at "127.0.0.1:${port}" cannot reach "b-1.skk.test:9092": connection refused`,
    ])
  })

  it('that cannot tell plaintext brokers apart: exit 2', async () => {
    const {ports} = await namedBrokers('plaintext', [{host: 'b-1.skk.test'}, {host: 'b-2.skk.test'}])
    const via = `tcp:127.0.0.1:${await forwarder(ports['b-1.skk.test']!)}`

    const [layer, exit, cause] = await failureOf({...plain('b-1.skk.test:9092'), via})

    expect([layer, exit]).toEqual(['metadata', 2])
    expect(cause).toMatch(/cannot tell 2 brokers apart/)
  })
})

const plain = (bootstrap: string): KafkaTarget => ({
  bootstrap: bootstrap.split(','),
  auth: 'none',
  tls: false,
  credentials: () => Promise.reject(new Error('no credentials are needed here')),
  timeoutMs: 5_000,
  describe: 'cluster',
})

const keys = (accessKeyId: string, secretAccessKey: string) => async () => ({accessKeyId, secretAccessKey})

const iam = (bootstrap: string): KafkaTarget => ({
  ...plain(bootstrap),
  auth: 'iam',
  region: 'us-east-1',
  credentials: keys('test', 'test'),
})

const told = (checks: readonly Check[]): [string, string | null][] =>
  checks.map(({layer, detail, cause}) => [layer, detail ?? cause])

/** Layer, exit code, cause and fix of the only check that failed, which has to be the last of its broker. */
async function failureOf(target: KafkaTarget, endpoint?: string): Promise<[string, number, string, string]> {
  const {checks, failure}: Diagnosis = await diagnose(target, {endpoint})
  const [check, ...others] = checks.filter(({ok}) => !ok)
  expect(others).toEqual([])
  expect(checks.at(-1)).toBe(check)
  expect([check?.cause, check?.fix]).toEqual([failure?.message, failure?.hint])
  return [check!.layer, failure!.exitCode, check!.cause!, check!.fix!]
}

/** An HTTP server by whose clock it is that time. */
async function clockAt(time: number): Promise<string> {
  const server = createServer((_request, response) => response.setHeader('date', new Date(time).toUTCString()).end())
  return `http://127.0.0.1:${await listening(server as unknown as net.Server)}`
}

/** A stub that answers ApiVersions with these, and nothing else. */
async function brokerWith(versions: readonly (readonly [key: number, min: number, max: number])[]): Promise<number> {
  const server = net.createServer((socket) => {
    socket.on('data', (request) => {
      const answer = new Writer().int32(request.readInt32BE(8)).int16(0)
      answer.array(versions, ([key, min, max]) => answer.int16(key).int16(min).int16(max))
      socket.write(new Writer().bytes(answer.int32(0).finish()).finish())
    })
  })
  return listening(server)
}
