import {describe} from 'vitest'

import {describeBasics} from './java-basics.js'

describe("Apache Kafka's own tools, 2.8.2", () => describeBasics('2.8'))
