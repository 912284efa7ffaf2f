import {expect, test} from 'vitest'
import {murmur2, partitionForKey} from '../../../src/lib/records/murmur2.js'

/** Of Apache Kafka's UtilsTest.testMurmur2. */
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('murmur2 of "%s" is what the Java clients compute', (text, hash) => {
  expect(murmur2(Buffer.from(text))).toBe(hash)
})

/** Computed with kafka-clients 3.9.1. */
test.each([
  [0, -1948347274],
  [1, -40751598],
  [2, 773798786],
  [3, -1251964386],
  [130, 373358389],
  [201, -16596403],
  [254, -1177224669],
  [256, 275646681],
])('murmur2 of the bytes from %d to 255 is what the Java clients compute', (start, hash) => {
  const all = Buffer.from(Array.from({length: 256}, (_, i) => i))

  expect(murmur2(all.subarray(start))).toBe(hash)
})

/** Computed with BuiltInPartitioner of kafka-clients 3.9.1. */
test.each([
  ['21', 3],
  ['foobar', 0],
  ['abc', 4],
  ['', 2],
])('the key "%s" goes to the partition of 7 to which the Java clients send it', (key, partition) => {
  expect(partitionForKey(Buffer.from(key), 7)).toBe(partition)
})
