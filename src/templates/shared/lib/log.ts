import {Logger} from '@aws-lambda-powertools/logger'

/** JSON lines; LOG_LEVEL sets how much. Keys and values of records are never logged. */
export const log = new Logger({serviceName: process.env['AWS_LAMBDA_FUNCTION_NAME'] ?? 'local'})

/** How a record is named in the log. */
export const placeOf = ({topic, partition, offset}: {topic: string; partition: number; offset: number}) => ({
  topic,
  partition,
  offset,
})

/** Metrics of the function for CloudWatch, in its embedded format: it reads them in Lambda's log, no call is made. */
export function metrics(values: Record<string, number>, milliseconds: readonly string[] = []): void {
  const Metrics = Object.keys(values).map((Name) => ({Name, Unit: milliseconds.includes(Name) ? 'Milliseconds' : 'Count'}))
  const _aws = {
    Timestamp: Date.now(),
    CloudWatchMetrics: [{Namespace: 'KafkaFunctions', Dimensions: [['FunctionName']], Metrics}],
  }
  console.log(JSON.stringify({_aws, FunctionName: process.env['AWS_LAMBDA_FUNCTION_NAME'] ?? 'local', ...values}))
}
