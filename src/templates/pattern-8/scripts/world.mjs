import {createHash} from 'node:crypto'
import {createServer} from 'node:http'

/** The queue of `npm run local`: it answers as SQS does and prints the letters that it is sent. */
export async function start() {
  const server = createServer(async (request, response) => {
    const {MessageBody, MessageAttributes} = JSON.parse(Buffer.concat(await request.toArray()).toString())
    const attributes = Object.entries(MessageAttributes ?? {}).map(([name, {StringValue}]) => `${name}=${StringValue}`)
    console.error(`dead letter ${attributes.join(' ')}\n${MessageBody}`)
    const MD5OfMessageBody = createHash('md5').update(MessageBody).digest('hex')
    response.setHeader('content-type', 'application/x-amz-json-1.0')
    response.end(JSON.stringify({MessageId: '1', MD5OfMessageBody}))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    env: {DLQ_URL: `http://127.0.0.1:${server.address().port}/000000000000/dead-letters`},
    stop() {
      server.closeAllConnections()
      server.close()
    },
  }
}
