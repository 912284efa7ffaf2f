/** Kafka's legal names: 1-249 of `[a-zA-Z0-9._-]`, but not `.` and `..` (org.apache.kafka.common.internals.Topic). */
export const isValidTopicName = (name: string): boolean => /^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..'

/** Metric names turn `.` into `_`, so Kafka refuses a name that differs from another only there. */
export const inMetrics = (name: string): string => name.replaceAll('.', '_')
