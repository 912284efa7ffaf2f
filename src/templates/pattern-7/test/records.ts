import {readFileSync} from 'node:fs'

import type {Item} from '../src/core/attribute.ts'
import type {ChangeSettings, StreamEvent, StreamRecord} from '../src/core/change.ts'

export const eventOf = (name: string): StreamEvent => JSON.parse(readFileSync(`events/${name}.json`, 'utf8'))

export const settings: ChangeSettings = {
  topics: {'{{table}}': '{{topic}}'},
  format: 'typed',
  envelope: true,
  tombstone: true,
  skipUnchanged: false,
}

/** The records of a stream, in which each change is what `id` has become; undefined is a delete. */
export function changes(...list: [id: string, item: Item | undefined][]): StreamRecord[] {
  const table = new Map<string, Item>()
  return list.map(([id, attributes], index) => {
    const Keys = {id: {S: id}}
    const OldImage = table.get(id)
    const NewImage = attributes && {...Keys, ...attributes}
    if (NewImage) table.set(id, NewImage)
    else table.delete(id)
    const images = {...(OldImage && {OldImage}), ...(NewImage && {NewImage})}
    return {
      eventID: `e${index}`,
      eventName: NewImage ? (OldImage ? 'MODIFY' : 'INSERT') : 'REMOVE',
      eventSourceARN: eventOf('golden').Records[0]!.eventSourceARN,
      dynamodb: {Keys, ...images, SequenceNumber: String(1000 + index), StreamViewType: 'NEW_AND_OLD_IMAGES'},
    }
  })
}
