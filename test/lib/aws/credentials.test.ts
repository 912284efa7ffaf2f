import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdir, writeFile} from 'node:fs/promises'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {cleanHome, type Home} from '../../support/skk.js'

const dist = fileURLToPath(new URL('../../../dist/lib/aws/credentials.js', import.meta.url))

let home: Home
beforeEach(async () => {
  home = await cleanHome()
  await mkdir(join(home.directory, '.aws'))
})
afterEach(() => home.remove())

const config = (text: string) => writeFile(join(home.directory, '.aws', 'config'), text)

/** In a process of its own: the AWS SDK reads the home and the environment once. */
async function inOtherProcess(expression: string, env: NodeJS.ProcessEnv = {}): Promise<any> {
  const script = `
    import {credentialProvider, regionOfProfile} from ${JSON.stringify(dist)}
    try { console.log(JSON.stringify(await (${expression}))) }
    catch (error) { console.log(JSON.stringify({...error.toJSON?.(), text: String(error)})) }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    env: {...home.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true', ...env},
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text) => {
    stdout += text
  })
  child.stderr.on('data', (text) => {
    stderr += text
  })
  await once(child, 'close')
  return {...JSON.parse(stdout), stderr}
}

describe('credentials', () => {
  it('are those of the environment, and of a profile when one is named', async () => {
    await config('[profile staging]\naws_access_key_id = PROFILE\naws_secret_access_key = s\nregion = eu-north-1\n')
    const env = {AWS_ACCESS_KEY_ID: 'ENVIRONMENT', AWS_SECRET_ACCESS_KEY: 's'}

    expect(await inOtherProcess('credentialProvider()()', env)).toMatchObject({accessKeyId: 'ENVIRONMENT'})
    expect(await inOtherProcess('credentialProvider("staging")()', env)).toMatchObject({accessKeyId: 'PROFILE', stderr: ''})
    expect(await inOtherProcess('regionOfProfile("staging").then((region) => ({region}))')).toMatchObject({region: 'eu-north-1'})
    expect(await inOtherProcess('regionOfProfile("none").then((region) => ({region}))')).not.toHaveProperty('region')
  })

  it('come from a credential process, once for all who ask at the same time', async () => {
    const counter = join(home.directory, 'calls')
    const answer = JSON.stringify({
      Version: 1,
      AccessKeyId: 'PROCESS',
      SecretAccessKey: 's',
      Expiration: new Date(Date.now() + 3_600_000).toISOString(),
    })
    await writeFile(join(home.directory, 'keys.sh'), `#!/bin/sh\necho x >> ${counter}\necho '${answer}'\n`, {mode: 0o700})
    await config(`[profile external]\ncredential_process = ${join(home.directory, 'keys.sh')}\n`)

    const result = await inOtherProcess(`(async () => {
      const provider = credentialProvider('external')
      const all = await Promise.all([provider(), provider(), credentialProvider('external')()])
      const {readFileSync} = await import('node:fs')
      return {ids: all.map((keys) => keys.accessKeyId), calls: readFileSync(${JSON.stringify(counter)}, 'utf8').trim().split('\\n').length}
    })()`)

    expect(result).toMatchObject({ids: ['PROCESS', 'PROCESS', 'PROCESS'], calls: 1})
  })

  it('of an assumed role have one session name, the same at every refresh', async () => {
    const names: (string | null)[] = []
    const sts = createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      names.push(new URLSearchParams(body).get('RoleSessionName'))
      const expiration = new Date(Date.now() + 1_000).toISOString()
      response.end(`<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASSUMED</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
        <SessionToken>t</SessionToken><Expiration>${expiration}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
    }).listen(0, '127.0.0.1')
    await once(sts, 'listening')
    await config(`[profile base]\naws_access_key_id = a\naws_secret_access_key = b\n
[profile role]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base\nregion = us-east-1\n`)
    const env = {AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${(sts.address() as AddressInfo).port}`}

    const result = await inOtherProcess(
      `(async () => {
      const provider = credentialProvider('role')
      await provider()
      await new Promise((resolve) => setTimeout(resolve, 20))
      return provider()
    })()`,
      env,
    )
    sts.close()

    expect(result).toMatchObject({accessKeyId: 'ASSUMED', sessionToken: 't'})
    expect(names).toHaveLength(2)
    expect(new Set(names).size).toBe(1)
    expect(names[0]).toMatch(/^skk-/)
  })

  it('that are nowhere are a denial with a way out', async () => {
    expect(await inOtherProcess('credentialProvider()()')).toMatchObject({
      code: 'CREDENTIALS_MISSING',
      exitCode: 4,
      hint: expect.stringContaining('`aws configure`'),
    })
    expect(await inOtherProcess('credentialProvider("nope")()')).toMatchObject({
      code: 'CREDENTIALS_MISSING',
      exitCode: 4,
      hint: expect.stringContaining('--profile nope'),
    })
  })

  it('of an SSO session that has expired name the line that renews it', async () => {
    await config(`[profile work]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = dev\n
[sso-session corp]\nsso_start_url = https://corp.example/start\nsso_region = us-east-1\nsso_registration_scopes = sso:account:access\n`)

    expect(await inOtherProcess('credentialProvider("work")()')).toMatchObject({
      code: 'CREDENTIALS_EXPIRED',
      exitCode: 4,
      hint: 'Run `aws sso login --profile work`, then the same command again.',
    })
  })
})
