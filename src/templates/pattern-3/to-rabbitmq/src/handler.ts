import {setTimeout as sleep} from 'node:timers/promises'

import {rabbitmq} from './amqp.ts'
import {consumer} from './consumer.ts'
import {deliver} from './core/deliver.ts'
import {publicationOf} from './core/publication.ts'
import {readSettings} from './settings.ts'

const settings = readSettings(process.env)
const {maxAttempts, routing} = settings
const publish = rabbitmq(settings.amqp)

/** Each record becomes a message, which is done when RabbitMQ has confirmed it. */
export const handler = consumer(settings, (record, deadline) =>
  deliver(publicationOf(record, routing), routing.from, {publish, deadline, maxAttempts, sleep, random: Math.random}),
)
