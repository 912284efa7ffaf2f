/**
 * Makes records of dead letters again: reads what `aws sqs receive-message` prints, or one letter from the bucket, and prints a line
 * for each that `skk produce TOPIC --format records` takes. It deletes nothing.
 */
const input = JSON.parse(Buffer.concat(await process.stdin.toArray()).toString() || '{}')
const letters = 'offset' in input ? [input] : (input.Messages ?? []).map(({Body}) => JSON.parse(Body))

const bytes = (base64) => (base64 == null ? null : {base64})
const header = ([name, value]) => [name, bytes(Buffer.from(value).toString('base64'))]

for (const {stored, timestamp, key, value, headers} of letters) {
  if (stored) {
    console.error(
      `error: one letter is in the bucket\nhint:  aws s3 cp s3://${stored.bucket}/${stored.key} - | node scripts/letters.mjs`,
    )
    process.exitCode = 1
    continue
  }
  const record = {timestamp, key: bytes(key), value: bytes(value), headers: headers.flatMap(Object.entries).map(header)}
  console.log(JSON.stringify(record))
}
