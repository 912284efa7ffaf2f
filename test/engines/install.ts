/**
 * Installs the clients of these tests on first use: Debian's kcat, Kafka's Java tools from Maven Central, Python and npm packages.
 * Everything but Debian packages lands in .cache/engines. What cannot be installed fails the tests; nothing is skipped.
 */
import {createHash} from 'node:crypto'
import {existsSync} from 'node:fs'
import {mkdir, readFile, rm, writeFile} from 'node:fs/promises'
import {join, resolve} from 'node:path'

import {expectSuccess, run} from './processes.js'

const HERE = resolve(import.meta.dirname)
const CACHE = resolve(HERE, '../../.cache/engines')
const TEN_MINUTES = 600_000

export type KafkaVersion = '2.8' | '3.9' | '4'

/** The command `kcat`. */
export async function installKcat(): Promise<string> {
  await onPath('kcat', 'kcat')
  return 'kcat'
}

/** The `bin` folder of PostgreSQL, which Debian keeps off the PATH. */
export async function installPostgres(): Promise<string> {
  const found = () => run('sh', ['-c', 'ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1'])
  if ((await found()).stdout === '') await debian('postgresql')
  return (await found()).stdout.trim()
}

/** The `bin` folder of RabbitMQ's own programs, which Debian wraps so that only its own user may run them. */
export async function installRabbitmq(): Promise<string> {
  const bin = '/usr/lib/rabbitmq/bin'
  if (!existsSync(bin)) await debian('rabbitmq-server')
  return bin
}

/** A folder of jars: the tools and clients of that Kafka, with AWS's IAM login module. */
export const installKafka = (version: KafkaVersion): Promise<string> =>
  installJars(`java-${version}`, join(HERE, 'java', version, 'pom.xml'))

/** A folder of that name with the jars that a pom.xml asks for. */
export async function installJars(name: string, pom: string): Promise<string> {
  await onPath('java', 'default-jre-headless')
  return once(name, pom, async (dir) => {
    await onPath('mvn', 'maven')
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${dir}`]
    await install('mvn', ['-B', '-q', '-f', pom, ...goal])
  })
}

/** The `bin` folder of a virtual environment with the Python clients. */
export const installPython = (): Promise<string> => installVenv('python', join(HERE, 'python/requirements.txt'))

/** The `bin` folder of a virtual environment of that name, with what the file requires. */
export async function installVenv(name: string, requirements: string): Promise<string> {
  const dir = await once(name, requirements, async (dir) => {
    await onPath('python3', 'python3')
    if ((await run('python3', ['-c', 'import ensurepip'])).code !== 0) await debian('python3-venv')
    await install('python3', ['-m', 'venv', dir])
    await install(join(dir, 'bin/pip'), ['install', '--quiet', '--requirement', requirements])
  })
  return join(dir, 'bin')
}

/** The folder of the npm packages of package.json here: the clients and other versions of Node. */
async function installNpm(): Promise<string> {
  const modules = join(HERE, 'node_modules')
  await once(
    'npm',
    join(HERE, 'package-lock.json'),
    () => install('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], HERE),
    modules,
  )
  return modules
}

/** The binary of another Node.js than the one that runs the tests. */
export async function installNode(major: 22 | 24 | 26): Promise<string> {
  return join(await installNpm(), `node${major}`, 'bin/node')
}

/** Makes a folder with `make` unless it was made from the same manifest before. */
async function once(
  name: string,
  manifest: string,
  make: (dir: string) => Promise<unknown>,
  dir = join(CACHE, name),
): Promise<string> {
  const stamp = join(CACHE, `${name}.installed`)
  const wanted = createHash('sha256')
    .update(await readFile(manifest))
    .digest('hex')
  const found = await readFile(stamp, 'utf8').catch(() => '')
  if (found === wanted && existsSync(dir)) return dir
  const started = performance.now()
  await mkdir(CACHE, {recursive: true})
  await rm(dir, {recursive: true, force: true})
  await make(dir)
  await writeFile(stamp, wanted)
  process.stderr.write(`installed ${name} in ${((performance.now() - started) / 1000).toFixed(1)} s\n`)
  return dir
}

async function onPath(command: string, debianPackage: string): Promise<void> {
  if ((await run('sh', ['-c', `command -v ${command}`])).code !== 0) await debian(debianPackage)
}

async function debian(name: string): Promise<void> {
  const root = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  const [command = '', ...args] = [...root, 'sh', '-c', `apt-get update -qq && apt-get install -y -qq ${name}`]
  await install(command, args)
}

function install(command: string, args: string[], cwd = HERE): Promise<unknown> {
  return expectSuccess(command, args, {cwd, timeoutMs: TEN_MINUTES, env: {DEBIAN_FRONTEND: 'noninteractive'}})
}
