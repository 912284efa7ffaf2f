/** kafkajs: admin, produce, consume in a group. Usage: BOOTSTRAP none|iam TOPIC COUNT. Prints what it saw as JSON. */
import {generateAuthToken} from 'aws-msk-iam-sasl-signer-js'
import kafkajs from 'kafkajs'

const [bootstrap, auth, topic, count] = process.argv.slice(2)
const oauthBearerProvider = async () => ({value: (await generateAuthToken({region: 'us-east-1'})).token})
const kafka = new kafkajs.Kafka({
  brokers: [bootstrap],
  logLevel: kafkajs.logLevel.NOTHING,
  retry: {retries: 3},
  ...(auth === 'iam' && {sasl: {mechanism: 'oauthbearer', oauthBearerProvider}}),
})
const messages = (codec) =>
  Array.from({length: Number(count)}, (_, i) => ({key: `k${i % 50}`, value: `${codec}-${i}`, headers: {codec}}))

const admin = kafka.admin()
await admin.connect()
const created = await admin.createTopics({topics: [{topic, numPartitions: 2, replicationFactor: -1}]})
await admin.createPartitions({topicPartitions: [{topic, count: 3}]})
const {resources} = await admin.describeConfigs({
  resources: [{type: 2, name: topic, configNames: ['retention.ms']}],
  includeSynonyms: false,
})

const acked = {}
for (const [codec, options] of [
  ['none', {}],
  ['gzip', {compression: kafkajs.CompressionTypes.GZIP}],
  ['idempotent', {}],
]) {
  const producer = kafka.producer({
    idempotent: codec === 'idempotent',
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  const results = await producer.send({topic, acks: -1, messages: messages(codec), ...options})
  acked[codec] = results.every(({errorCode}) => errorCode === 0)
  await producer.disconnect()
}

const groupId = `${topic}-readers`
const consumer = kafka.consumer({groupId})
await consumer.connect()
await consumer.subscribe({topic, fromBeginning: true})
const values = new Set()
const partitionsOfOneKey = new Set()
let consumed = 0
await new Promise((resolve, reject) => {
  consumer.on(consumer.events.CRASH, ({payload}) => reject(payload.error))
  consumer.run({
    eachMessage: async ({partition, message}) => {
      consumed++
      values.add(String(message.value))
      if (String(message.key) === 'k7') partitionsOfOneKey.add(partition)
      if (values.size === 3 * Number(count)) resolve()
    },
  })
})
await consumer.stop() // commits what was resolved
await consumer.disconnect()
const [{partitions}] = await admin.fetchOffsets({groupId, topics: [topic]})
const {groups} = await admin.listGroups()
const [{state}] = (await admin.describeGroups([groupId])).groups
await admin.deleteGroups([groupId])
await admin.deleteTopics({topics: [topic]})
await admin.disconnect()
process.stdout.write(
  JSON.stringify({
    created,
    config: resources[0].configEntries.map(({configName}) => configName),
    acked,
    consumed,
    distinct: values.size,
    partitionsOfOneKey: partitionsOfOneKey.size,
    committed: partitions.reduce((total, {offset}) => total + Number(offset), 0),
    groups: groups.map((group) => group.groupId),
    state,
  }),
)
