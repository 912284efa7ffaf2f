import {
  type AttributeValue,
  ConditionalCheckFailedException,
  DynamoDBClient,
  GetItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'

import type {Watermarks} from './core/once.ts'

type Update = {set: Record<string, AttributeValue>; remove?: string[]; condition: string; seen?: Record<string, AttributeValue>}

/** Watermarks in a table of DynamoDB, one item for each partition: `{id, next, owner?, until?, begun?}`. */
export function watermarkTable(TableName: string): Watermarks {
  const client = new DynamoDBClient({})

  /** Undefined when it was done; else the item, for which the condition does not hold. */
  async function update(id: string, {set, remove = [], condition, seen = {}}: Update) {
    const assignments = Object.keys(set).map((name) => `#${name} = :${name}`)
    const removed = remove.length === 0 ? '' : ` REMOVE ${remove.map((name) => `#${name}`).join(', ')}`
    const expression = `SET ${assignments.join(', ')}${removed}`
    const used = new Set(`${expression} ${condition}`.match(/(?<=#)\w+/g))
    const values = Object.entries({...set, ...seen}).map(([name, value]) => [`:${name}`, value])
    try {
      await client.send(
        new UpdateItemCommand({
          TableName,
          Key: {id: {S: id}},
          UpdateExpression: expression,
          ConditionExpression: condition,
          ExpressionAttributeNames: Object.fromEntries([...used].map((name) => [`#${name}`, name])),
          ExpressionAttributeValues: Object.fromEntries(values),
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        }),
      )
      return undefined
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return error.Item ?? {}
      throw error
    }
  }

  return {
    async read(partition) {
      const {Item} = await client.send(new GetItemCommand({TableName, Key: {id: {S: partition}}, ConsistentRead: true}))
      if (!Item) return undefined
      const {next, owner, until, begun} = Item
      const claim = owner?.S === undefined ? undefined : {owner: owner.S, until: Number(until?.N)}
      return {next: Number(next?.N), claim, begun: (begun?.L ?? []).map(({S}) => S!)}
    },

    async claim(partition, {owner, until}, begun, seen) {
      const asSeen = seen?.claim ? '#next = :next AND #owner = :seen' : '#next = :next AND attribute_not_exists(#owner)'
      const refused = await update(partition, {
        set: {
          next: {N: String(seen?.next ?? 0)},
          owner: {S: owner},
          until: {N: String(until)},
          begun: {L: begun.map((key) => ({S: key}))},
        },
        // The client repeats a request whose answer was lost: then it is ours already.
        condition: `${seen ? asSeen : 'attribute_not_exists(#next)'} OR #owner = :owner`,
        ...(seen?.claim && {seen: {seen: {S: seen.claim.owner}}}),
      })
      return refused === undefined
    },

    async confirm(partition, owner, next) {
      const refused = await update(partition, {
        set: {next: {N: String(next)}},
        remove: ['owner', 'until', 'begun'],
        condition: '#owner = :owner',
        seen: {owner: {S: owner}},
      })
      // An answer may have been lost here too; what is below the watermark is in the bucket, whoever says so.
      return refused === undefined || Number(refused['next']?.N ?? 0) >= next
    },

    async release(partition, {owner, until}) {
      await update(partition, {set: {until: {N: String(until)}}, condition: '#owner = :owner', seen: {owner: {S: owner}}})
    },
  }
}
