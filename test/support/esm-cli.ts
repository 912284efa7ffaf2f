import {onTestFinished} from 'vitest'

import {CLUSTER, REGION, type ScriptedLambda, type ScriptOptions, scriptedLambda} from './scripted-lambda.js'
import {cleanHome, type Ended, type Home, type Running, skk, startSkk} from './skk.js'

export type EsmCli = {
  server: ScriptedLambda
  home: Home
  esm(...args: string[]): Promise<Ended>
  start(...args: string[]): Running
}

/** In the environment: an MSK API that is not on this machine, so that the account counts as one of AWS, and that does not answer. */
export const ON_AWS = {AWS_ENDPOINT_URL_KAFKA: 'http://0.0.0.0:1'}

/** The CLI with a home of its own and a scripted Lambda endpoint. */
export async function esmCli(options: ScriptOptions = {}, more: NodeJS.ProcessEnv = {}): Promise<EsmCli> {
  const server = await scriptedLambda(options)
  const home = await cleanHome()
  onTestFinished(async () => {
    await server.close()
    await home.remove()
  })
  const env = {
    AWS_ENDPOINT_URL_LAMBDA: server.url,
    // Nobody is there: checks that need the cluster cannot be made.
    AWS_ENDPOINT_URL_KAFKA: 'http://127.0.0.1:1',
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    ...more,
  }
  const line = (args: string[]) => ['esm', ...args, '--cluster', CLUSTER]
  return {
    server,
    home,
    esm: (...args) => skk(line(args), {home, env}),
    start: (...args) => startSkk(line(args), {home, env}),
  }
}
