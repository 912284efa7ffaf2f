import {once} from 'node:events'
import {createServer, type Server} from 'node:http'
import type {AddressInfo} from 'node:net'

import {afterAll, beforeAll, expect, it} from 'vitest'

import {cleanHome, type Home, skk} from '../support/skk.js'

const canaries = {
  AWS_ACCESS_KEY_ID: 'ASIACANARYCANARY1234',
  AWS_SECRET_ACCESS_KEY: 'canarySecret/CanarySecret+CanarySecret1234',
  AWS_SESSION_TOKEN: 'canarySessionToken//////////wEaCXVzLWVhc3QtMSJHMEUCIQ',
}

let home: Home
let homeOfStack: Home
let api: Server
let brokers: string
beforeAll(async () => {
  home = await cleanHome()
  homeOfStack = await cleanHome()
  brokers = (await homeOfStack.local()).bootstrap
  // As AWS does when a signature is wrong: the answer repeats what was signed.
  api = createServer((request, response) => {
    const {authorization, 'x-amz-security-token': token} = request.headers
    const message = `The request signature we calculated does not match. The Canonical String should have been\n'GET\nauthorization:${authorization}\nx-amz-security-token:${token}\n'`
    response
      .writeHead(403, {'content-type': 'application/json', 'x-amzn-errortype': 'InvalidSignatureException'})
      .end(JSON.stringify({message}))
  }).listen(0, '127.0.0.1')
  await once(api, 'listening')
})
afterAll(async () => {
  api.close()
  await home.remove()
  await homeOfStack.remove()
})

const endpoint = () => `http://127.0.0.1:${(api.address() as AddressInfo).port}`

it.each([
  ['clusters list --region us-east-1 --endpoint-url API', 4],
  ['clusters list --region us-east-1 --endpoint-url http://127.0.0.1:1', 5],
  ['clusters describe demo --region us-east-1 --endpoint-url API', 4],
  ['topics list --cluster demo --region us-east-1 --endpoint-url API', 4],
  ['topics list --bootstrap BROKERS --region us-east-1', 2],
  ['topics list --bootstrap 127.0.0.1:1 --region us-east-1 --tls', 5],
  ['topics list --bootstrap b.example:1 --region us-east-1 --no-tls', 2],
])('`skk %s --debug` tells no secret', async (line, exitCode) => {
  for (const more of ['--debug', '--json --debug']) {
    const args = `${line.replace('API', endpoint()).replace('BROKERS', brokers)} ${more}`.split(' ')
    const {code, stdout, stderr} = await skk(args, {home, env: canaries})

    for (const canary of Object.values(canaries)) {
      expect(stdout + stderr).not.toContain(canary)
      expect(stdout + stderr).not.toContain(encodeURIComponent(canary))
    }
    expect(stderr).not.toMatch(/Signature=[0-9a-f]{8}/)
    expect(code, stderr).toBe(exitCode)
  }
})
