import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

export type Outcome = {code: number | null; stdout: string; stderr: string}

const FOLDER = join(import.meta.dirname, 'transcripts')
const LONGEST = 4000

/** What the commands of a run said, as Markdown, without the ids of the account and the cluster. */
export class Transcript {
  private readonly entries: string[] = []
  private readonly secrets: readonly [RegExp, string][]

  constructor(clusterArn: string) {
    const [, , , , account = '', resource = ''] = clusterArn.split(':')
    const [, name = '', uuid = ''] = resource.split('/')
    const taken = [
      [account, '123456789012'],
      [uuid, '00000000-0000-4000-8000-000000000000-s1'],
      [name, 'CLUSTER'],
    ] as const
    this.secrets = [
      ...taken
        .filter(([text]) => text !== '')
        .map(([text, instead]) => [new RegExp(escaped(text), 'g'), instead] as [RegExp, string]),
      [/boot-[a-z0-9]+\.c\d+\.kafka-serverless/g, 'boot-00000000.c1.kafka-serverless'],
      [/arn:aws:(iam|sts)::\d{12}:[^\s"]+/g, 'arn:aws:iam::123456789012:role/CALLER'],
    ]
  }

  add(command: string, {code, stdout, stderr}: Outcome): void {
    const parts = [`$ ${command}`, stdout, stderr].map((part) => part.trimEnd()).filter((part) => part !== '')
    const text = this.clean(parts.join('\n'))
    const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)}\n… ${text.length - LONGEST} more characters` : text
    this.entries.push(`\`\`\`console\n${shown}\n\`\`\`\n\nExit code ${code}.\n`)
  }

  heading(text: string): void {
    this.entries.push(`## ${text}\n`)
  }

  /** Writes transcripts/DATE.md, and resolves to its path. */
  async write(now: Date): Promise<string> {
    await mkdir(FOLDER, {recursive: true})
    const file = join(FOLDER, `${now.toISOString().slice(0, 10)}.md`)
    const title = `# MSK Serverless, ${now.toISOString()}\n`
    await writeFile(file, [title, ...this.entries].join('\n'))
    return file
  }

  private clean(text: string): string {
    return this.secrets.reduce((cleaned, [pattern, instead]) => cleaned.replace(pattern, instead), text)
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
