/**
 * The topics in a ConsumerProtocolSubscription: version int16, then an array of strings; later versions only append to that.
 * Null when the bytes are something else: they come from the client, and Kafka never looks at them while a group rebalances.
 */
export const subscribedTopics = (metadata: Buffer): string[] | null => {
  if (metadata.length < 6 || metadata.readInt16BE(0) < 0) return null
  const count = metadata.readInt32BE(2)
  const topics: string[] = []
  let at = 6
  // A topic takes at least its length's two bytes, so a lying count ends the loop before it costs anything.
  for (let index = 0; index < count; index++) {
    if (at + 2 > metadata.length) return null
    const length = metadata.readInt16BE(at)
    if (length < 0 || at + 2 + length > metadata.length) return null
    topics.push(metadata.toString('utf8', at + 2, at + 2 + length))
    at += 2 + length
  }
  return topics
}
