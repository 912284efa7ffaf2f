import {execFile} from 'node:child_process'
import {readFile, writeFile} from 'node:fs/promises'
import {createServer} from 'node:net'
import {join} from 'node:path'
import {promisify} from 'node:util'
import {describe, expect, it, onTestFinished} from 'vitest'

import {readContexts} from '../../src/lib/contexts/config-file.js'
import {cleanHome, type Ended, type Home, skk, startSkk} from '../support/skk.js'

const RUN = join(import.meta.dirname, '../../bin/run.js')
const FREE_PORTS = ['--port', '0', '--plaintext-port', '0', '--http-port', '0']

async function person(): Promise<Home> {
  const home = await cleanHome()
  onTestFinished(async () => {
    await skk(['local', 'stop'], {home})
    await home.remove()
  })
  return home
}

const json = ({stdout}: Ended): any => JSON.parse(stdout)

/** Holds port 9098 until the test ends, unless somebody else on this machine does already. */
async function takeUsualPort(): Promise<void> {
  const holder = createServer()
  const held = await new Promise<boolean>((resolve, reject) => {
    holder.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error)))
    holder.listen(9098, '127.0.0.1', () => resolve(true))
  })
  if (held) onTestFinished(() => void holder.close())
}

describe('skk local', () => {
  it('starts in the background, answers, and is used by whoever has no other context', async () => {
    const home = await person()

    const started = await skk(['local', 'start', ...FREE_PORTS], {home})
    const topic = await skk(['topics', 'create', 'orders'], {home})
    const again = await skk(['local', 'start', '--json'], {home})
    const stopped = await skk(['local', 'stop', '--json'], {home})

    expect(started).toMatchObject({code: 0, stdout: expect.stringContaining('access key "test"')})
    expect(topic.code).toBe(0)
    expect(again.code).toBe(0)
    expect(Object.keys(json(again))).toEqual(['bootstrap', 'plaintextBootstrap', 'endpoint', 'clusterArn', 'dataDir', 'pid'])
    expect(json(stopped)).toEqual({stopped: true, pid: json(again).pid})
  })

  it('is started once by two that start it at the same time', async () => {
    const home = await person()

    const starts = await Promise.all([1, 2, 3].map(() => skk(['local', 'start', ...FREE_PORTS, '--json'], {home})))

    expect(starts.map(({code}) => code)).toEqual([0, 0, 0])
    expect(new Set(starts.map((started) => json(started).pid)).size).toBe(1)
  })

  it('keeps topics and records until it is reset', async () => {
    const home = await person()
    await skk(['local', 'start', ...FREE_PORTS], {home})
    await skk(['topics', 'create', 'orders'], {home})
    await skk(['produce', 'orders'], {home, input: 'a\nb\n'})
    await skk(['local', 'stop'], {home})

    await skk(['local', 'start', ...FREE_PORTS], {home})
    const kept = await skk(['consume', 'orders'], {home})
    const reset = await skk(['local', 'reset', '--yes'], {home})
    await skk(['local', 'start', ...FREE_PORTS], {home})
    const topics = await skk(['topics', 'list', '--json'], {home})

    expect(kept.stdout).toBe('a\nb\n')
    expect(reset.code).toBe(0)
    expect(json(topics)).toEqual([])
  })

  it('does with the files that the system lets it open, however many partitions there are', async () => {
    const home = await person()
    const line = ['-c', 'ulimit -n 80 && exec "$@"', 'limited', process.execPath, RUN, 'local', 'start', ...FREE_PORTS]
    await promisify(execFile)('sh', line, {env: home.env})

    const created = await skk(['topics', 'create', 'orders', '--partitions', '120'], {home})
    const input = Array.from({length: 3_000}, (_, number) => `${number}:x\n`).join('')

    const produced = await skk(['produce', 'orders', '--key-separator', ':'], {home, input})
    const consumed = await skk(['consume', 'orders', '--show', 'key'], {home})
    const stopped = await skk(['local', 'stop'], {home})

    expect([created.code, produced.code, consumed.code, stopped.code]).toEqual([0, 0, 0, 0])
    expect(consumed.stdout.trimEnd().split('\n')).toHaveLength(3_000)
  })

  it('says so when nothing runs: stop is content, status is not', async () => {
    const home = await person()

    expect(await skk(['local', 'stop'], {home})).toMatchObject({code: 0, stderr: 'no stack is running\n'})
    expect(await skk(['local', 'status'], {home})).toMatchObject({code: 3})
    expect(await skk(['local', 'env'], {home})).toMatchObject({code: 3})
  })

  it('leaves the current context of somebody who has one', async () => {
    const home = await person()
    await home.context('prod', {bootstrap: 'broker.example:9098', region: 'eu-west-1'})

    const started = await skk(['local', 'start', ...FREE_PORTS], {home})

    expect(started.stderr).toContain('the current context stays "prod"')
    expect((await readContexts(home.configDir)).current).toBe('prod')
    expect((await skk(['topics', 'list', '--context', 'local', '--json'], {home})).code).toBe(0)
  })

  it('works in a directory of its own, in the background too', async () => {
    const home = await person()
    const dataDir = join(home.directory, 'elsewhere')

    const started = await skk(['local', 'start', ...FREE_PORTS, '--data-dir', dataDir, '--json'], {home})
    const status = await skk(['local', 'status', '--data-dir', dataDir, '--json'], {home})
    const topic = await skk(['topics', 'create', 'orders'], {home})
    const stopped = await skk(['local', 'stop', '--data-dir', dataDir], {home})

    expect(json(started).dataDir).toBe(dataDir)
    expect(json(status)).toMatchObject({running: true, pid: json(started).pid})
    expect([topic.code, stopped.code]).toEqual([0, 0])
  })

  it('in the foreground prints one line of JSON and ends with SIGTERM', async () => {
    const home = await person()

    const running = startSkk(['local', 'start', '--foreground', ...FREE_PORTS, '--json'], {home})
    await running.says(/"pid"/)
    running.child.kill('SIGTERM')
    const {stdout, code} = await running.ended

    expect(JSON.parse(stdout)).toMatchObject({pid: running.child.pid})
    expect(code).toBe(143)
    expect((await skk(['local', 'status'], {home})).code).toBe(3)
  })

  it('ends in the foreground when it is stopped from elsewhere', async () => {
    const home = await person()

    const running = startSkk(['local', 'start', '--foreground', ...FREE_PORTS], {home})
    await running.says(/cluster/)
    const stopped = await skk(['local', 'stop'], {home})

    expect(stopped.code).toBe(0)
    expect((await running.ended).code).toBe(0)
  })

  it('replaces a default port that is taken and says so; one that was asked for is a conflict', async () => {
    const home = await person()
    const holder = createServer()
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void holder.close())
    const {port} = holder.address() as {port: number}

    const refused = await skk(['local', 'start', '--port', String(port), '--plaintext-port', '0', '--http-port', '0'], {home})
    await takeUsualPort()
    const moved = await skk(['local', 'start', '--plaintext-port', '0', '--http-port', '0'], {home})
    const again = await skk(['local', 'start'], {home})

    expect(refused).toMatchObject({code: 6, stderr: expect.stringContaining(`port ${port} is taken`)})
    expect(moved.code).toBe(0)
    const [, chosen] = /^port 9098 was taken, the brokers with IAM listen on (\d+)$/m.exec(moved.stderr) ?? []
    expect(moved.stdout).toContain(`127.0.0.1:${chosen} `)
    expect(moved.stderr).not.toMatch(/port (9092|9911) was taken/)
    // Which ports were taken when it started says nothing about now.
    expect(again).toMatchObject({code: 0, stderr: expect.not.stringContaining('was taken')})
  })

  it('has no plaintext port when only certain keys exist, unless one is asked for', async () => {
    const home = await person()
    const file = join(home.directory, 'iam.json')
    const policy = {Version: '2012-10-17', Statement: [{Effect: 'Allow', Action: '*', Resource: '*'}]}
    await writeFile(file, JSON.stringify({principals: [{name: 'ann', accessKeyId: 'ANN', secretAccessKey: 's', policy}]}), {
      mode: 0o600,
    })

    const started = await skk(['local', 'start', '--port', '0', '--http-port', '0', '--iam', file, '--json'], {home})
    const kcat = await skk(['local', 'env', '--format', 'kcat'], {home})
    const topics = await skk(['topics', 'list'], {home})

    expect(started.stderr).toBe('')
    expect(json(started).plaintextBootstrap).toBeNull()
    expect(kcat.code).toBe(2)
    expect(topics.code).toBe(0)
  })

  it('denies what a policy of --iam does not allow, and both sides say who may not do what where', async () => {
    const home = await person()
    const file = join(home.directory, 'iam.json')
    const policy = {
      Version: '2012-10-17',
      Statement: [{Effect: 'Allow', Action: ['kafka-cluster:Connect', 'kafka-cluster:DescribeTopic'], Resource: '*'}],
    }
    await writeFile(file, JSON.stringify({principals: [{name: 'reader', accessKeyId: 'READER', secretAccessKey: 's', policy}]}), {
      mode: 0o600,
    })
    const {clusterArn} = json(await skk(['local', 'start', '--port', '0', '--http-port', '0', '--iam', file, '--json'], {home}))
    const what = `kafka-cluster:CreateTopic on ${clusterArn.replace(':cluster/', ':topic/')}/orders`

    const denied = await skk(['topics', 'create', 'orders'], {home})

    expect(denied).toMatchObject({code: 4, stderr: expect.stringContaining(`error: access key "READER" may not do ${what}\n`)})
    const log = await readFile(join(home.dataDir, 'local', 'stack.log'), 'utf8')
    expect(log).toContain(`denied arn:aws:iam::123456789012:user/reader ${what}\n`)
  })

  it.skipIf(process.platform === 'win32')('says in the background too what is wrong with the file of keys', async () => {
    const home = await person()
    const file = join(home.directory, 'iam.json')
    const policy = {
      Version: '2012-10-17',
      Statement: [{Effect: 'Allow', Action: '*', Resource: '*', Condition: {Bool: {'aws:SecureTransport': 'true'}}}],
    }
    await writeFile(file, JSON.stringify({principals: [{name: 'ann', accessKeyId: 'ANN', secretAccessKey: 's', policy}]}), {
      mode: 0o644,
    })

    const started = await skk(['local', 'start', '--port', '0', '--http-port', '0', '--iam', file], {home})

    expect(started.code).toBe(0)
    expect(started.stderr).toContain(`warning: "${file}" holds secrets and other users may read or change it`)
    expect(started.stderr).toMatch(/warning: .*principals\[0\]\.policy\.Statement\[0\]: conditions are not evaluated here/)
  })

  it('speaks TLS with an authority of its own, which the context knows', async () => {
    const home = await person()
    await skk(['local', 'start', ...FREE_PORTS, '--tls', '--brokers', '2'], {home})

    await skk(['topics', 'create', 'orders', '--partitions', '4'], {home})
    const produced = await skk(['produce', 'orders'], {home, input: 'a\n'})
    const consumed = await skk(['consume', 'orders'], {home})

    expect(produced.code).toBe(0)
    expect(consumed.stdout).toBe('a\n')
  })

  it('asks before it deletes everything', async () => {
    const home = await person()

    expect(await skk(['local', 'reset', '--yes', '--json'], {home})).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"reset": false'),
      stderr: expect.stringMatching(/^there is nothing in /),
    })
    await skk(['local', 'start', ...FREE_PORTS], {home})

    expect(await skk(['local', 'reset'], {home})).toMatchObject({code: 2, stderr: expect.stringContaining('--yes')})
    expect(await skk(['local', 'reset', '--dry-run'], {home})).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^would delete /),
    })
    expect(await skk(['local', 'status'], {home})).toMatchObject({code: 0})
  })
})
