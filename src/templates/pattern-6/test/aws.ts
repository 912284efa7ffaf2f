import {createServer, type IncomingMessage, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'

type Item = Record<string, Record<string, unknown>>

export type Aws = {
  url: string
  /** By bucket and key, as in `files/topics/orders/…`. */
  objects: Map<string, Buffer>
  /** The items of the table, by id. */
  items: Map<string, Item>
  /** May answer a request instead, by its method and its object or action, with a status; undefined to let it through. */
  fault: (what: string) => number | undefined
  /** Whether a request is carried out and its answer lost. */
  loses: (what: string) => boolean
  stop(): void
}

/** S3 and DynamoDB in one, as far as this function asks them. */
export async function startAws(): Promise<Aws> {
  const nothing = {fault: (): number | undefined => undefined, loses: () => false}
  const aws = {objects: new Map<string, Buffer>(), items: new Map<string, Item>(), ...nothing}
  const server = createServer((request, response) => void answer(request, response, aws))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const stop = () => {
    server.closeAllConnections()
    server.close()
  }
  return Object.assign(aws, {url, stop})
}

async function answer(request: IncomingMessage, response: ServerResponse, aws: Omit<Aws, 'url' | 'stop'>): Promise<void> {
  const body = Buffer.concat(await request.toArray())
  const action = String(request.headers['x-amz-target'] ?? '').split('.')[1]
  const key = decodeURIComponent(new URL(request.url!, 'http://aws').pathname).slice(1)
  const what = action ?? `${request.method} ${key}`
  const status = aws.fault(what)
  if (status !== undefined) return void response.writeHead(status).end(action ? '{"__type":"com.amazonaws#Refused"}' : '')
  if (aws.loses(what)) request.socket.destroy()
  if (action) return table(action, JSON.parse(body.toString()), response, aws.items)
  if (request.method === 'PUT') aws.objects.set(key, decoded(request, body))
  else aws.objects.delete(key)
  response.setHeader('etag', '"1"').end()
}

/** What a body is that was sent in chunks with a checksum at its end. */
function decoded({headers}: IncomingMessage, body: Buffer): Buffer {
  if (!String(headers['content-encoding'] ?? '').includes('aws-chunked')) return body
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.subarray(at, end).toString(), 16)
    if (!size) return Buffer.concat(parts)
    parts.push(body.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}

function table(action: string, asked: any, response: ServerResponse, items: Map<string, Item>): void {
  const id: string = asked.Key.id.S
  const item = items.get(id)
  response.setHeader('content-type', 'application/x-amz-json-1.0')
  if (action === 'GetItem') return void response.end(JSON.stringify(item ? {Item: item} : {}))
  if (!holds(asked, item ?? {})) {
    const refused = {__type: 'com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException', Item: item}
    return void response.writeHead(400).end(JSON.stringify(refused))
  }
  const [set = '', remove = ''] = String(asked.UpdateExpression).replace(/^SET /, '').split(' REMOVE ')
  const changed: Item = {...item, id: asked.Key.id}
  for (const [, name, value] of set.matchAll(/#(\w+) = (:\w+)/g)) changed[name!] = asked.ExpressionAttributeValues[value!]
  for (const [, name] of remove.matchAll(/#(\w+)/g)) delete changed[name!]
  items.set(id, changed)
  response.end('{}')
}

/** A condition of equalities and `attribute_not_exists`, of which AND binds more than OR. */
function holds({ConditionExpression, ExpressionAttributeValues}: any, item: Item): boolean {
  const one = (text: string): boolean => {
    const [, absent, name, value] = /^(?:attribute_not_exists\(#(\w+)\)|#(\w+) = (:\w+))$/.exec(text)!
    if (absent) return item[absent] === undefined
    return JSON.stringify(item[name!]) === JSON.stringify(ExpressionAttributeValues[value!])
  }
  return String(ConditionExpression)
    .split(' OR ')
    .some((terms) => terms.split(' AND ').every(one))
}
