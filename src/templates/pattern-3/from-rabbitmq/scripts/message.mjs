import {readFileSync} from 'node:fs'

/** The golden event with another message each time, as `npm run local` sends it. */
export function eventOf(n) {
  const event = JSON.parse(readFileSync('events/golden.json', 'utf8'))
  const [[queue, [message]]] = Object.entries(event.rmqMessagesByQueue)
  const basicProperties = {...message.basicProperties, messageId: `message-${n}`}
  const data = Buffer.from(JSON.stringify({order: n})).toString('base64')
  return {...event, rmqMessagesByQueue: {[queue]: [{...message, basicProperties, data}]}}
}
