import {createHash} from 'node:crypto'
import {createServer} from 'node:http'

const md5 = (text) => createHash('md5').update(text).digest('hex')

/** The queues of `npm run local`: they answer as SQS does and print the messages and the letters that they are sent. */
export async function start() {
  const server = createServer(async (request, response) => {
    const {Entries, MessageBody} = JSON.parse(Buffer.concat(await request.toArray()).toString())
    response.setHeader('content-type', 'application/x-amz-json-1.0')
    if (MessageBody !== undefined) {
      console.error(`dead letter ${MessageBody}`)
      return response.end(JSON.stringify({MessageId: '1', MD5OfMessageBody: md5(MessageBody)}))
    }
    for (const {MessageBody: body, MessageAttributes} of Entries)
      console.error(`message ${MessageAttributes['kafka.id'].StringValue} ${JSON.stringify(body)}`)
    const Successful = Entries.map(({Id, MessageBody: body}) => ({Id, MessageId: Id, MD5OfMessageBody: md5(body)}))
    return response.end(JSON.stringify({Successful, Failed: []}))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${server.address().port}/000000000000`
  return {
    env: {QUEUE_URL: `${url}/{{queue}}`, DLQ_URL: `${url}/dead-letters`},
    stop() {
      server.closeAllConnections()
      server.close()
    },
  }
}
