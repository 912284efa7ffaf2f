import assert from 'node:assert/strict'
import {describe, it} from 'node:test'

import {readConfig} from '../../src/lib/config.ts'
import {kafkaProducer, murmur2, partitionFor, readKafkaSettings} from '../../src/lib/kafka.ts'

describe('murmur2', () => {
  /** From Apache Kafka's own test of it, `UtilsTest`. */
  it("is the hash of Kafka's Java client", () => {
    const known: Record<string, number> = {
      '21': -973932308,
      foobar: -790332482,
      'a-little-bit-long-string': -985981536,
      'a-little-bit-longer-string': -1486304829,
      lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8: -58897971,
      abc: 479470107,
    }

    for (const [text, hash] of Object.entries(known)) assert.equal(murmur2(Buffer.from(text)), hash, text)
  })

  it('gives a partition that there is', () => {
    for (const key of ['', 'a', 'ab', '21', 'foobar']) {
      const partition = partitionFor(Buffer.from(key), 3)
      assert.ok(partition >= 0 && partition < 3)
    }
  })
})

describe('the settings of the producer', () => {
  const read = (env: Record<string, string>) => readConfig(env, (from) => readKafkaSettings(from, env))

  it('are TLS and IAM beyond this machine', () => {
    assert.deepEqual(read({SKK_BROKERS: 'b-1.example:9098,b-2.example:9098', AWS_REGION: 'eu-west-1'}), {
      brokers: ['b-1.example:9098', 'b-2.example:9098'],
      auth: 'iam',
      tls: true,
      region: 'eu-west-1',
      clientId: 'local',
    })
    assert.equal(read({SKK_BROKERS: '127.0.0.1:9098'}).tls, false)
  })

  it('never send a token in the clear', () => {
    assert.throws(() => read({SKK_BROKERS: 'b-1.example:9098', SKK_TLS: 'false'}), /SKK_TLS/)
  })
})

describe('the producer', () => {
  it('says of a message that there is no broker, and leaves no rejection that nobody handles', async () => {
    const producer = kafkaProducer({brokers: ['127.0.0.1:1'], auth: 'none', tls: false, region: '', clientId: 'test'})

    const [result] = await producer.send([{topic: 'orders', key: null, value: null}], {
      remainingMs: () => 60_000,
      passed: () => false,
    })

    assert.equal(result?.status, 'rejected')
    await producer.close()
  })
})
