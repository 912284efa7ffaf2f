/** @platformatic/kafka: admin, produce, consume in a group. Usage: BOOTSTRAP none|iam TOPIC COUNT. Prints what it saw as JSON. */
import {Admin, Consumer, Producer, stringDeserializers, stringSerializers} from '@platformatic/kafka'
import {generateAuthToken} from 'aws-msk-iam-sasl-signer-js'

const [bootstrap, auth, topic, count] = process.argv.slice(2)
const token = async () => (await generateAuthToken({region: 'us-east-1'})).token
const common = {
  clientId: 'skk-engines',
  bootstrapBrokers: [bootstrap],
  strict: true,
  ...(auth === 'iam' && {sasl: {mechanism: 'OAUTHBEARER', token}}),
}

const admin = new Admin(common)
const [{partitions}] = await admin.createTopics({topics: [topic], partitions: 3, replicas: -1})
const topics = await admin.listTopics()

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
let acked = 0
for (const compression of codecs) {
  const producer = new Producer({...common, serializers: stringSerializers, compression, idempotent: true, acks: -1})
  const messages = Array.from({length: Number(count)}, (_, i) => ({
    topic,
    key: `k${i % 50}`,
    value: `${compression}-${i}`,
    headers: {compression},
  }))
  const {offsets} = await producer.send({messages})
  if (offsets.every(({offset}) => offset >= 0n)) acked += messages.length
  await producer.close()
}

const groupId = `${topic}-readers`
const consumer = new Consumer({...common, groupId, deserializers: stringDeserializers})
const stream = await consumer.consume({topics: [topic], mode: 'earliest', autocommit: false})
const values = new Set()
const partitionsOfOneKey = new Set()
let consumed = 0
for await (const message of stream) {
  consumed++
  values.add(message.value)
  if (message.key === 'k7') partitionsOfOneKey.add(message.partition)
  await (consumed % 100 === 0 || values.size === codecs.length * Number(count) ? message.commit() : undefined)
  if (values.size === codecs.length * Number(count)) break
}
await consumer.close(true)
const groups = [...(await admin.listGroups()).keys()]
await admin.deleteGroups({groups: [groupId]})
await admin.deleteTopics({topics: [topic]})
await admin.close()
process.stdout.write(
  JSON.stringify({
    partitions,
    listed: topics.includes(topic),
    acked,
    consumed,
    distinct: values.size,
    partitionsOfOneKey: partitionsOfOneKey.size,
    grouped: groups.includes(groupId),
  }),
)
