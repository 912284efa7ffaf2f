import {withCluster} from './client.js'
import type {KafkaTarget} from './target.js'
import {listTopics} from './topics.js'

/** The question for a topic that was left out: one of those that exist. */
export const topicQuestion = (kafka: () => Promise<KafkaTarget>) => ({
  name: 'TOPIC',
  message: 'Which topic?',
  example: 'orders',
  choices: async (): Promise<string[]> => {
    const topics = await withCluster(await kafka(), listTopics)
    return topics.filter(({internal}) => !internal).map(({name}) => name)
  },
})
