import {describe} from 'vitest'

import {describeBasics} from './java-basics.js'

describe("Apache Kafka's own tools, 2.8.2", () => describeBasics('2.8'))

describe("Apache Kafka's own tools, 2.8.2, under the versions that MSK Serverless published", () => {
  describeBasics('2.8', ['--api-profile', 'msk-2022'])
})
