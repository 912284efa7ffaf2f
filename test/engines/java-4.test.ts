import {describe} from 'vitest'

import {describeBasics} from './java-basics.js'

describe("Apache Kafka's own tools, 4.1", () => describeBasics('4'))
