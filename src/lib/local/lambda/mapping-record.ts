import {compileFilter} from '../../lambda/filter.js'
import type {MappingRules} from '../../lambda/mapping.js'

export type StartingPosition = 'TRIM_HORIZON' | 'LATEST' | 'AT_TIMESTAMP'

/** What a caller may change of a mapping. */
export type MappingSettings = {
  /** With its qualifier, if it was named with one. */
  functionArn: string
  batchSize: number
  /** Undefined, which nobody can set again, is 500 ms. */
  maximumBatchingWindowInSeconds: number | undefined
  filters: readonly string[]
  /** An ARN, or `kafka://topic`. */
  onFailure: string | undefined
  /** -1 is for ever. */
  maximumRetryAttempts: number
  /** -1 is any age. */
  maximumRecordAgeInSeconds: number
  bisectBatchOnFunctionError: boolean
  functionResponseTypes: readonly string[]
  /** Shown as they came; one machine has one poller. */
  provisionedPollerConfig: Readonly<Record<string, unknown>> | undefined
  metrics: readonly string[] | undefined
  systemLogLevel: string | undefined
  kmsKeyArn: string | undefined
  enabled: boolean
}

export type NewMapping = MappingSettings & {
  eventSourceArn: string
  topic: string
  /** Undefined: the mapping's UUID. */
  groupId: string | undefined
  startingPosition: StartingPosition
  /** Epoch milliseconds. */
  startingTimestamp: number | undefined
  tags: Record<string, string>
}

export type MappingState = 'Creating' | 'Enabling' | 'Enabled' | 'Disabling' | 'Disabled' | 'Updating' | 'Deleting'

export type MappingRecord = NewMapping & {
  uuid: string
  arn: string
  groupId: string
  state: MappingState
  /** Epoch milliseconds. */
  lastModified: number
  lastProcessingResult: string
}

export const NOTHING_PROCESSED = 'No records processed'

const DEFAULT_WINDOW_MS = 500
/** docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure.html: for ever, with a destination, is this. */
const ATTEMPTS_BEFORE_DESTINATION = 10

/** What the poller obeys. */
export function rulesOf(mapping: MappingRecord, bootstrapServers: string): MappingRules {
  const {onFailure, maximumRetryAttempts, maximumRecordAgeInSeconds, maximumBatchingWindowInSeconds: seconds} = mapping
  const hasDestination = onFailure !== undefined
  return {
    topic: mapping.topic,
    eventSourceArn: mapping.eventSourceArn,
    bootstrapServers,
    functionArn: mapping.functionArn,
    batchSize: mapping.batchSize,
    batchingWindowMs: seconds === undefined ? DEFAULT_WINDOW_MS : seconds * 1000,
    filters: mapping.filters.map((pattern) => compileFilter(pattern)),
    maximumRetryAttempts: maximumRetryAttempts === -1 && hasDestination ? ATTEMPTS_BEFORE_DESTINATION : maximumRetryAttempts,
    maximumRecordAgeMs: maximumRecordAgeInSeconds === -1 ? Infinity : maximumRecordAgeInSeconds * 1000,
    bisect: mapping.bisectBatchOnFunctionError,
    reportBatchItemFailures: mapping.functionResponseTypes.includes('ReportBatchItemFailures'),
    hasDestination,
  }
}
