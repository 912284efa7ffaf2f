import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join, resolve} from 'node:path'

import {end, type Finished, firstJson, type Options, run, start} from './processes.js'

const CLI = resolve(import.meta.dirname, '../../bin/run.js')

export type SkkLocal = {
  /** host:port of the listener with IAM authentication. */
  bootstrap: string
  plaintextBootstrap: string
  /** URL of the MSK API. */
  endpoint: string
  clusterArn: string
  dataDir: string
  pid: number
  stop(): Promise<void>
  /** Ends the process as a crash does; the data stays, `restart` brings it back on the same ports. */
  kill(): Promise<void>
  restart(): Promise<void>
}

/** Variables under which a program sees no configuration, credentials or region but the ones given. */
export async function emptyHome(): Promise<{dir: string; env: NodeJS.ProcessEnv; remove(): Promise<void>}> {
  const dir = await mkdtemp(join(tmpdir(), 'skk-engines-home-'))
  const env = {
    HOME: dir,
    XDG_CONFIG_HOME: join(dir, 'config'),
    XDG_DATA_HOME: join(dir, 'data'),
    XDG_CACHE_HOME: join(dir, 'cache'),
    XDG_STATE_HOME: join(dir, 'state'),
  }
  return {dir, env, remove: () => rm(dir, {recursive: true, force: true})}
}

/** What any AWS client needs to act on `skk local` with its default key. */
export const testCredentials = {
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_REGION: 'us-east-1',
  AWS_DEFAULT_REGION: 'us-east-1',
}

/** Runs the built CLI to its end, with a given home and this machine's own AWS variables taken away. */
export function skk(args: readonly string[], options: Options & {node?: string} = {}): Promise<Finished> {
  return run(options.node ?? process.execPath, [CLI, ...args], {...options, env: {...withoutAws(), ...options.env}})
}

/** Starts the embedded stack as its own process, with its data in a temporary folder, on free ports unless `flags` name them. */
export async function startSkkLocal(flags: readonly string[] = []): Promise<SkkLocal> {
  const home = await emptyHome()
  const launch = async (ports: readonly string[]) => {
    const args = [CLI, 'local', 'start', '--foreground', '--json', '--data-dir', join(home.dir, 'stack'), ...ports, ...flags]
    const child = start(process.execPath, args, {env: {...withoutAws(), ...home.env}})
    try {
      return {child, state: await firstJson(child)}
    } catch (error) {
      await home.remove()
      throw error
    }
  }
  // A port that `flags` name is theirs at every start.
  const unlessGiven = (flag: string, port: string) => (flags.includes(flag) ? [] : [flag, port])
  const anyPlaintext = flags.includes('--iam') ? [] : unlessGiven('--plaintext-port', '0')
  let {child, state} = await launch([...unlessGiven('--port', '0'), '--http-port', '0', ...anyPlaintext])
  const portOf = (addresses: string) => {
    const [address = ''] = addresses.split(',')
    return new URL(address.includes('//') ? address : `kafka://${address}`).port
  }
  const samePorts = () => [
    ...unlessGiven('--port', portOf(state.bootstrap)),
    ...['--http-port', portOf(state.endpoint)],
    ...(state.plaintextBootstrap ? unlessGiven('--plaintext-port', portOf(state.plaintextBootstrap)) : []),
  ]
  return {
    ...state,
    stop: async () => {
      await end(child)
      await home.remove()
    },
    kill: () => end(child, 'SIGKILL'),
    restart: async () => {
      ;({child, state} = await launch(samePorts()))
    },
  }
}

function withoutAws(): NodeJS.ProcessEnv {
  const unset = Object.keys(process.env).filter((name) => name.startsWith('AWS_') || name.startsWith('SKK_'))
  return Object.fromEntries(unset.map((name) => [name, undefined]))
}

/** Creates a topic with our own command over the plaintext listener. */
export async function createTopic(
  bootstrap: string,
  topic: string,
  {partitions = 1, config = [] as string[]} = {},
): Promise<void> {
  const more = ['--partitions', String(partitions), ...config.flatMap((entry) => ['--config', entry])]
  const args = ['topics', 'create', topic, ...more, '--bootstrap', bootstrap, '--auth', 'none']
  const {code, stderr} = await skk(args)
  if (code !== 0) throw new Error(`topics create ${topic}: exit ${code}\n${stderr}`)
}
