import {expect, test} from 'vitest'
import {crc32c, crc32cSliced} from '../../../src/lib/records/crc32c.js'

test.each([
  ['32 bytes of zero', Buffer.alloc(32), 0x8a9136aa],
  ['32 bytes of ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['32 ascending bytes', Buffer.from(Array.from({length: 32}, (_, i) => i)), 0x46dd794e],
  ['32 descending bytes', Buffer.from(Array.from({length: 32}, (_, i) => 31 - i)), 0x113fdb5c],
  [
    'an iSCSI read command',
    Buffer.from('01c00000000000000000000000000000140000000000040000000014000000182800000000000000' + '0200000000000000', 'hex'),
    0xd9963a56,
  ],
])('the CRC-32C of %s is that of RFC 3720, appendix B.4', (_, bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected)
})

test('the check value of the catalogue of CRC algorithms', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
})

test('no bytes have the checksum 0', () => {
  expect(crc32c(Buffer.alloc(0))).toBe(0)
})

test('a part of a buffer has the checksum of its copy, wherever it starts and however long it is', () => {
  const bytes = Buffer.from(Array.from({length: 100}, (_, i) => (i * 37) & 0xff))

  for (let start = 0; start < 40; start++) {
    for (let end = start; end <= 100; end++) {
      expect(crc32c(bytes, start, end)).toBe(bitwiseCrc32c(bytes.subarray(start, end)))
    }
  }
})

/** The definition, bit by bit. */
function bitwiseCrc32c(bytes: Buffer): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return ~crc >>> 0
}

test('is the same natively and in slices', () => {
  const bytes = Buffer.from(Array.from({length: 10_000}, (_, i) => (i * 131) & 0xff))

  expect(crc32c(bytes, 3, 9_998)).toBe(bitwiseCrc32c(bytes.subarray(3, 9_998)))
  expect(crc32cSliced(bytes, 3, 9_998)).toBe(bitwiseCrc32c(bytes.subarray(3, 9_998)))
})
