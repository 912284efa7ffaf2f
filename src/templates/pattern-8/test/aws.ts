import {createHash} from 'node:crypto'
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'
import type {TestContext} from 'node:test'

export type Letter = {body: any; attributes: Record<string, string>}

/** SQS and S3 in one, as far as letters go; `status` is what SQS answers, and may be changed. */
export async function awsServices(test: TestContext) {
  const letters: Letter[] = []
  const objects = new Map<string, string>()
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const text = Buffer.concat(await request.toArray()).toString()
    if (request.method === 'PUT') {
      objects.set(new URL(request.url!, 'http://s3').pathname, text)
      return response.setHeader('etag', '"1"').end()
    }
    if (aws.status !== 200) return response.writeHead(aws.status).end('{"__type":"com.amazonaws.sqs#InvalidMessageContents"}')
    const {MessageBody, MessageAttributes} = JSON.parse(text)
    const named = Object.entries<{StringValue: string}>(MessageAttributes).map(([name, {StringValue}]) => [name, StringValue])
    letters.push({body: JSON.parse(MessageBody), attributes: Object.fromEntries(named)})
    const MD5OfMessageBody = createHash('md5').update(MessageBody).digest('hex')
    return response
      .setHeader('content-type', 'application/x-amz-json-1.0')
      .end(JSON.stringify({MessageId: '1', MD5OfMessageBody}))
  }
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  test.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const aws = {url, queueUrl: `${url}/000000000000/dead-letters`, letters, objects, status: 200}
  return aws
}
