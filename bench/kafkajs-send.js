/**
 * What a program with plain kafkajs does: node bench/kafkajs-send.js BOOTSTRAP TOPIC FILE
 *
 * Each line of the file is a record without key; `producer.send` with its defaults, 10,000 at a time, one call after the other.
 */
import {createReadStream} from 'node:fs'
import {createInterface} from 'node:readline'

import kafkajs from 'kafkajs'

const [bootstrap = '', topic = '', file = ''] = process.argv.slice(2)
const AT_ONCE = 10_000

const {Kafka, Partitioners, logLevel} = kafkajs
const kafka = new Kafka({brokers: bootstrap.split(','), logLevel: logLevel.NOTHING})
const producer = kafka.producer({createPartitioner: Partitioners.DefaultPartitioner})
await producer.connect()
/** @type {{value: string}[]} */
let messages = []
for await (const value of createInterface({input: createReadStream(file)})) {
  messages.push({value})
  if (messages.length < AT_ONCE) continue
  await producer.send({topic, messages})
  messages = []
}
if (messages.length > 0) await producer.send({topic, messages})
await producer.disconnect()
