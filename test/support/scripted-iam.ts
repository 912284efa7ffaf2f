import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {text} from 'node:stream/consumers'

import {onTestFinished} from 'vitest'

/** IAM's SimulatePrincipalPolicy, which denies these actions, or every call. Gone when the test ends. */
export async function scriptedIam({denied = [], refuses = false}: {denied?: string[]; refuses?: boolean}) {
  const asked: URLSearchParams[] = []
  const server = createServer(async (request, response) => {
    const form = new URLSearchParams(await text(request))
    asked.push(form)
    const actions = [...form].filter(([key]) => key.startsWith('ActionNames.member.')).map(([, action]) => action)
    const results = actions.map((action) => {
      const decision = denied.includes(action) ? 'implicitDeny' : 'allowed'
      return `<member><EvalActionName>${action}</EvalActionName><EvalDecision>${decision}</EvalDecision></member>`
    })
    response.writeHead(refuses ? 403 : 200, {'content-type': 'text/xml'})
    response.end(
      refuses
        ? '<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized to perform: iam:SimulatePrincipalPolicy</Message></Error></ErrorResponse>'
        : `<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><EvaluationResults>${results.join('')}</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>`,
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return {url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked}
}
