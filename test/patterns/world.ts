/**
 * What the patterns run in: `skk local` in the background of a home of its own, where `local` is the current context, so that every
 * command inside a project needs no flags; and moto for the AWS services that a function talks to.
 */
import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join, resolve} from 'node:path'

import {InvokeCommand, LambdaClient} from '@aws-sdk/client-lambda'

import {installVenv} from '../engines/install.js'
import {end, eventually, type Finished, start} from '../engines/processes.js'
import {emptyHome, skk, testCredentials} from '../engines/skk.js'
import {makeProject} from '../templates/projects.js'

const TEST_KEY = {accessKeyId: 'test', secretAccessKey: 'test'}

export type World = {
  /** Runs skk to its end, in the directory of a project if one is given; an error unless it ends with 0. */
  skk(args: readonly string[], options?: {cwd?: string; input?: string}): Promise<Finished>
  /** A project, deployed with these variables and attached to its topic as its file says. */
  deployed(template: string, options: Deployment): Promise<Deployed>
  /** The environment of a shell in which `skk` is this one. */
  shell(): Promise<NodeJS.ProcessEnv>
  /** A project, deployed with these variables; its functions are called by `invoke` alone. */
  callable(template: string, options: Omit<Deployment, 'partitions'>): Promise<Pick<Deployed, 'dir' | 'log' | 'remove'>>
  /** Calls a function and waits for its answer; an error with its own words when it fails. */
  invoke(name: string, event?: unknown): Promise<unknown>
  /** host:port of the brokers, with IAM. */
  bootstrap: string
  /** What is in a topic now, as envelopes. */
  records(topic: string): Promise<Envelope[]>
  stop(): Promise<void>
}

export type Envelope = {partition: number; offset: number; key: string | null; value: unknown; headers: [string, unknown][]}

export type Deployment = {
  /** Of the function, of its topic, and of the directory. */
  name: string
  set?: Record<string, string>
  environment?: Record<string, string>
  partitions?: number
  /** Whether a mapping of Kafka calls it, which is then made. */
  attached?: boolean
  /** Further flags of `functions deploy`. */
  flags?: readonly string[]
}

export type Deployed = {
  dir: string
  topic: string
  /** What the function and its sandbox have logged. */
  log(): Promise<string>
  /** One record for each line, all with the key if one is given. */
  produce(lines: readonly string[], flags?: readonly string[]): Promise<void>
  remove(): Promise<void>
}

export async function startWorld(flags: readonly string[] = []): Promise<World> {
  const home = await emptyHome()
  const run: World['skk'] = async (args, options = {}) => {
    const finished = await skk(args, {...options, env: home.env, timeoutMs: 180_000})
    if (finished.code === 0) return finished
    throw new Error(`skk ${args.join(' ')}: exit ${finished.code}\n${finished.stderr}\n${finished.stdout}`)
  }
  const ports = ['--port', '0', '--http-port', '0', '--plaintext-port', '0']
  const started = await run(['local', 'start', '--json', '--create-delay', '20ms', ...ports, ...flags])
  const {dataDir, bootstrap, endpoint} = JSON.parse(started.stdout)
  const lambda = new LambdaClient({endpoint, region: 'us-east-1', credentials: TEST_KEY, maxAttempts: 1})
  return {
    skk: run,
    bootstrap,
    deployed: (template, options) => deploy(run, dataDir, template, options),
    callable: (template, options) => deployAlone(run, dataDir, template, options),
    async invoke(name, event = {}) {
      const Payload = Buffer.from(JSON.stringify(event))
      const {FunctionError, Payload: answered} = await lambda.send(new InvokeCommand({FunctionName: name, Payload}))
      const answer = Buffer.from(answered ?? []).toString()
      if (FunctionError !== undefined) throw new Error(`${name}: ${answer}`)
      return JSON.parse(answer)
    },
    async shell() {
      const bin = join(home.dir, 'bin')
      const cli = resolve(import.meta.dirname, '../../bin/run.js')
      await mkdir(bin, {recursive: true})
      await writeFile(join(bin, 'skk'), `#!/bin/sh\nexec '${process.execPath}' '${cli}' "$@"\n`, {mode: 0o755})
      return {...home.env, PATH: `${bin}:${process.env['PATH']}`}
    },
    async records(topic) {
      const {stdout} = await run(['consume', topic, '--json'])
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line))
    },
    async stop() {
      lambda.destroy()
      await run(['local', 'stop'])
      await home.remove()
    },
  }
}

async function deployAlone(
  run: World['skk'],
  dataDir: string,
  template: string,
  {name, set = {}, environment = {}, flags = []}: Deployment,
): Promise<Pick<Deployed, 'dir' | 'log' | 'remove'>> {
  const {dir, remove} = await makeProject(template, {name, set})
  const variables = Object.entries(environment).flatMap(([key, value]) => ['--env', `${key}=${value}`])
  await run(['functions', 'deploy', ...variables, ...flags], {cwd: dir})
  return {dir, log: () => readFile(join(dataDir, 'functions', name, 'log'), 'utf8').catch(() => ''), remove}
}

async function deploy(run: World['skk'], dataDir: string, template: string, options: Deployment): Promise<Deployed> {
  const {name, set = {}, partitions = 1, attached = true} = options
  await run(['topics', 'create', name, '--partitions', String(partitions)])
  if (attached) await run(['topics', 'create', `${name}-failed`])
  const alone = await deployAlone(run, dataDir, template, {...options, set: {topic: name, ...set}})
  if (attached) await run(['esm', 'attach', '--retry', '--yes'], {cwd: alone.dir})
  return {
    ...alone,
    topic: name,
    async produce(lines, more = []) {
      await run(['produce', name, ...more], {input: lines.map((line) => `${line}\n`).join('')})
    },
  }
}

/** moto's server on a free port, and the variables that lead the AWS SDK there. */
export async function startMoto(): Promise<{url: string; stop(): Promise<void>}> {
  const python = await installVenv('patterns-python', resolve(import.meta.dirname, 'requirements.txt'))
  const child = start(join(python, 'moto_server'), ['-H', '127.0.0.1', '-p', '0'], {env: testCredentials})
  let said = ''
  child.stderr.on('data', (text) => {
    said += text
  })
  const urlIn = () => /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(said)?.[1]
  await eventually(async () => urlIn() !== undefined, 120_000)
  return {url: urlIn()!, stop: () => end(child)}
}

/** The name in its signatures, the prefix of its targets, and the version of its JSON. */
const SERVICES = {
  sqs: ['sqs', 'AmazonSQS', '1.0'],
  secretsmanager: ['secretsmanager', 'secretsmanager', '1.1'],
  dynamodb: ['dynamodb', 'DynamoDB_20120810', '1.0'],
  dynamodbstreams: ['dynamodb', 'DynamoDBStreams_20120810', '1.0'],
} as const

/** One call of AWS's JSON protocol to moto, which takes any signature. */
export async function motoCall(url: string, service: keyof typeof SERVICES, action: string, body: unknown): Promise<any> {
  const [signer, prefix, version] = SERVICES[service]
  const credential = `Credential=test/20261120/us-east-1/${signer}/aws4_request`
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': `application/x-amz-json-${version}`,
      'x-amz-target': `${prefix}.${action}`,
      authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=host, Signature=none`,
    },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${action}: ${response.status} ${text}`)
  return text === '' ? {} : JSON.parse(text)
}
