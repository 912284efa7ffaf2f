/**
 * The templates and their modes: each is made, installed, built and tested on each Node, and its infrastructure is checked in every
 * variant. A new template adds a line, and one for each answer that makes another program or other resources of it.
 */
export const cases: readonly {template: string; set?: Record<string, string>}[] = [
  {template: 'pattern-1'},
  {template: 'pattern-1', set: {access: 'jwt'}},
  {template: 'pattern-1', set: {front: 'function-url', access: 'api-key'}},
  {template: 'pattern-2'},
  {template: 'pattern-2', set: {mode: 'query', 'db-auth': 'iam'}},
  {template: 'pattern-2', set: {mode: 'invoke'}},
  {template: 'pattern-3'},
  {template: 'pattern-3', set: {from: 'rabbitmq'}},
  {template: 'pattern-3', set: {from: 'kafka', to: 'rabbitmq'}},
  {template: 'pattern-3', set: {from: 'kafka', to: 'sqs', fifo: 'true'}},
  {template: 'pattern-4'},
  {template: 'pattern-4', set: {auth: 'bearer', order: 'key', body: 'json'}},
  {template: 'pattern-6'},
  {template: 'pattern-6', set: {delivery: 'exactly-once', format: 'parquet', compression: 'zstd', value: 'json'}},
  {template: 'pattern-7'},
  {template: 'pattern-8'},
  {template: 'pattern-5'},
  {template: 'pattern-5', set: {'db-auth': 'iam', 'insert-mode': 'insert', 'pk-mode': 'none', 'pk-fields': ''}},
]

/** What the infrastructure code depends on in every template. */
export const variants: readonly string[][] = [[], ['--no-provisioned'], ['--esm', 'post-deploy']]
