import {CommandHelp, Help} from '@oclif/core'

import {EXIT} from './errors.js'

/** What each exit code means, in the words of the contract. */
const meanings: Record<keyof typeof EXIT, string> = {
  ok: 'done, or already as wanted',
  bug: 'a bug in skk',
  usage: 'wrong usage',
  notFound: 'not found',
  denied: 'denied: credentials, IAM or the clock',
  unavailable: 'unavailable: DNS, TCP, TLS, throttled or too slow; try again',
  conflict: 'conflict, or drift',
  partial: 'partial: some failed, the rest is durable',
  pending: 'pending: the wait ended, the operation goes on',
  localIo: 'local input or output, or bad data',
  unknownOutcome: 'unknown outcome',
  interrupted: 'interrupted (Ctrl-C)',
  terminated: 'terminated',
}

class SkkCommandHelp extends CommandHelp {
  /** oclif would write every flag into the line, global ones too; they are listed below it. */
  protected override defaultUsage(): string {
    const args = Object.values(this.command.args ?? {}).map((arg) =>
      arg.multiple ? this.arg(arg).replace(/\]?$/, '...$&') : this.arg(arg),
    )
    return [this.command.id, ...args, '[FLAGS]'].join(' ')
  }

  /** Its first line is the heading already. */
  protected override description(): string | undefined {
    const [, ...more] = this.command.description?.trim().split('\n') ?? []
    return more.length > 0 ? this.wrap(more.join('\n').trim()) : undefined
  }
}

/** oclif's help, with the exit codes below the commands. */
export default class SkkHelp extends Help {
  protected override CommandHelpClass = SkkCommandHelp

  override formatRoot(): string {
    const codes = Object.entries(EXIT).map(
      ([name, code]) => `${String(code).padStart(3)}  ${meanings[name as keyof typeof EXIT]}`,
    )
    return `${super.formatRoot()}\n\n${this.section('EXIT CODES', codes.join('\n'))}`
  }
}
