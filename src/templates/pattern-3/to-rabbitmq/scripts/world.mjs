import {connect} from 'amqplib'

const {AMQP_HOST = '127.0.0.1', AMQP_PORT = '5672'} = process.env

/** RabbitMQ of `npm run local`, which has to run already: its queue is made, and what comes there is printed. */
export async function start() {
  const model = await connect({hostname: AMQP_HOST, port: Number(AMQP_PORT)}).catch(() => {
    console.error(
      `error: no RabbitMQ at ${AMQP_HOST}:${AMQP_PORT}\nhint:  Start one there, or set AMQP_HOST and AMQP_PORT, then run this again.`,
    )
    process.exit(2)
  })
  const channel = await model.createChannel()
  await channel.assertQueue('{{queue}}', {durable: true})
  await channel.consume('{{queue}}', (message) => {
    console.error(`message ${message.properties.messageId} ${JSON.stringify(String(message.content))}`)
    channel.ack(message)
  })
  return {
    env: {AMQP_HOST, AMQP_PORT, AMQP_AUTH: 'guest', EXCHANGE: '', ROUTING_KEY: '{{queue}}', ROUTING_KEY_FROM: 'fixed'},
    stop: () => model.close(),
  }
}
