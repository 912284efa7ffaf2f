import {RemovalPolicy, type Stack, aws_s3 as s3} from 'aws-cdk-lib'

/** What is too large for SQS, which then says where it is. It outlives its message. */
export function largeMessages(stack: Stack): s3.CfnBucket {
  const bucket = new s3.CfnBucket(stack, 'LargeMessages', {
    publicAccessBlockConfiguration: {
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    },
    bucketEncryption: {serverSideEncryptionConfiguration: [{serverSideEncryptionByDefault: {sseAlgorithm: 'AES256'}}]},
    lifecycleConfiguration: {rules: [{id: 'expire', status: 'Enabled', expirationInDays: 30}]},
  })
  bucket.applyRemovalPolicy(RemovalPolicy.RETAIN)
  return bucket
}
