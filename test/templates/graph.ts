/** The parts of a CloudFormation template that are compared. */
export type Template = {
  Parameters?: Record<string, Record<string, unknown>>
  Conditions?: Record<string, unknown>
  Resources: Record<string, Resource>
  Outputs?: Record<string, Record<string, unknown>>
}

type Resource = {Type: string; Properties?: Record<string, unknown>; DeletionPolicy?: string; DependsOn?: unknown}

/** Where the code is, and what a tool says about itself. */
const TOOLS_OWN = new Set(['Code', 'Tags'])
const CDK_PARAMETERS = new Set(['BootstrapVersion'])

/**
 * What a template makes, so that SAM's and CDK's can be compared: resources by their logical ids with every property, references
 * as `${Id}` or `${Id.Attribute}` in whatever way they were written, numbers as texts, and what they need to be given.
 */
export function graphOf({Parameters = {}, Conditions = {}, Resources, Outputs = {}}: Template) {
  const parameters = Object.entries(Parameters).filter(([name]) => !CDK_PARAMETERS.has(name))
  return {
    parameters: sorted(parameters.map(([name, {Default, AllowedPattern}]) => [name, plain({Default, AllowedPattern})])),
    conditions: plain(Conditions),
    resources: sorted(Object.entries(Resources).map(([id, resource]) => [id, ofResource(resource)])),
    outputs: sorted(Object.entries(Outputs).map(([name, {Value}]) => [name, plain(Value)])),
  }
}

function ofResource({Type, Properties = {}, DeletionPolicy, DependsOn}: Resource) {
  const compared = Object.entries(Properties).filter(([name]) => !TOOLS_OWN.has(name))
  const after = [DependsOn ?? []].flat().sort()
  return {type: Type, deletion: DeletionPolicy ?? 'Delete', after, properties: plain(Object.fromEntries(compared))}
}

/** A value with its functions written out: `Fn::Sub` and `Fn::Join` of the same text are the same text. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value !== 'object' || value === null) return value
  const [[name, argument] = ['', undefined], ...others] = Object.entries(value)
  const text = others.length === 0 ? written(name, argument) : undefined
  const entries = Object.entries(value).filter(([, one]) => one !== undefined)
  return text ?? sorted(entries.map(([key, one]) => [key, plain(one)]))
}

function written(name: string, argument: unknown): string | undefined {
  if (name === 'Ref') return `\${${argument}}`
  if (name === 'Fn::GetAtt') return `\${${[argument].flat().join('.')}}`
  if (name === 'Fn::Sub' && typeof argument === 'string') return argument
  if (name === 'Fn::Select') return `select(${JSON.stringify(plain(argument))})`
  if (name !== 'Fn::Join') return undefined
  const [separator, parts] = argument as [string, unknown]
  const values = plain(parts)
  // A join over a split is a replacement, the only one that CloudFormation has.
  if (!Array.isArray(values)) return `\${join(${separator}, ${JSON.stringify(values)})}`
  return values.map((part) => (typeof part === 'string' ? part : JSON.stringify(part))).join(separator)
}

const sorted = <Value>(entries: [string, Value][]): Record<string, Value> =>
  Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
