import {readFileSync} from 'node:fs'

/** The golden event with another message each time, as `npm run local` sends it. */
export function eventOf(n) {
  const {Records} = JSON.parse(readFileSync('events/golden.json', 'utf8'))
  return {Records: [{...Records[0], messageId: `message-${n}`, body: JSON.stringify({order: n})}]}
}
