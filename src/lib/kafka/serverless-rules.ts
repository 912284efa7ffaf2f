import {SkkError} from '../errors.js'
import {settableTopicConfigs, topicConfigRefusal} from '../limits.js'

/**
 * What MSK Serverless would refuse, said before anything is sent. cleanup.policy may be set when a topic is created, and only
 * then. Throws SkkError (usage) with AWS's own text. A null value resets the key.
 */
export function checkServerlessConfigs(configs: Readonly<Record<string, string | null>>, {creating}: {creating: boolean}): void {
  for (const [name, value] of Object.entries(configs)) {
    const known = settableTopicConfigs.find((config) => config.name === name)
    if (!known || (!creating && !known.alterable))
      throw refused(topicConfigRefusal(name), hintFor(name, {creating, isReset: value === null}))
    const invalid = value === null ? undefined : known.invalid(value)
    if (invalid)
      throw refused(
        `"${value}" is no value for "${name}": ${invalid.charAt(0).toLowerCase()}${invalid.slice(1)}`,
        `Give \`--config ${name}=…\` another value, or leave it out.`,
      )
  }
}

function hintFor(name: string, {creating, isReset}: {creating: boolean; isReset: boolean}): string {
  if (name === 'cleanup.policy' && !creating)
    return 'Create another topic with `skk topics create TOPIC --config cleanup.policy=compact`.'
  return isReset ? `Leave out \`--delete-config ${name}\`.` : `Leave out \`--config ${name}=…\`.`
}

const refused = (message: string, hint: string): SkkError =>
  new SkkError(message.replace(/\.$/, ''), {code: 'INVALID_CONFIG', exit: 'usage', hint})
