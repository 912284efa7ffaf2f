import {withCluster} from '../client.js'
import {listGroups} from '../groups.js'
import type {KafkaTarget} from '../target.js'

/** The question for a group that was left out: one of those that exist. */
export const groupQuestion = (kafka: () => Promise<KafkaTarget>) => ({
  name: 'GROUP',
  message: 'Which group?',
  example: 'billing',
  choices: async (): Promise<string[]> => (await withCluster(await kafka(), listGroups)).map(({name}) => name),
})
