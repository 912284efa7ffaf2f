import {randomUUID} from 'node:crypto'

import {type Alias, type FunctionRecord, qualifiedArn, versionOf} from '../lambda/function-record.js'
import type {Functions} from '../lambda/functions.js'
import {configuration} from './lambda-functions.js'
import {conflict, invalidParameter, notFound, page, readRequiredText, readText} from './lambda-input.js'
import type {AwsRequest, AwsResponse} from './server.js'

/** A number is a version, so an alias must not look like one. */
const ALIAS = /^(?!\d+$)[a-zA-Z0-9-_]{1,128}$/

export async function publishVersion(functions: Functions, record: FunctionRecord, {body}: AwsRequest): Promise<AwsResponse> {
  const sha = readText(body, 'CodeSha256', {max: 64})
  if (sha !== undefined && sha !== record.latest.codeSha256) {
    throw invalidParameter(`CodeSHA256 (${sha}) is different from current CodeSHA256 in $LATEST (${record.latest.codeSha256}).`)
  }
  if (record.latest.lastUpdateStatus === 'InProgress') {
    throw conflict(`The operation cannot be performed at this time. An update is in progress for resource: ${record.arn}`)
  }
  const version = await functions.publish(record, readText(body, 'Description', {max: 256}))
  return {status: 201, body: configuration(record, version, version.version)}
}

export function listVersions(record: FunctionRecord, {query}: AwsRequest): AwsResponse {
  const all = [record.latest, ...record.versions]
  const {items, ...next} = page(all, query, ({version}) => version.padStart(10, '0'), 50)
  return {status: 200, body: {Versions: items.map((version) => configuration(record, version, version.version)), ...next}}
}

export async function createAlias(functions: Functions, record: FunctionRecord, {body}: AwsRequest): Promise<AwsResponse> {
  const name = readRequiredText(body, 'Name', {pattern: ALIAS, max: 128})
  if (record.aliases.some((alias) => alias.name === name)) throw conflict(`Alias already exists: ${qualifiedArn(record, name)}`)
  const version = checkedVersion(record, readRequiredText(body, 'FunctionVersion', {max: 1024}))
  const alias = {name, version, description: readText(body, 'Description', {max: 256}) ?? '', revisionId: randomUUID()}
  record.aliases.push(alias)
  await functions.save(record)
  return {status: 201, body: show(record, alias)}
}

export async function updateAlias(functions: Functions, record: FunctionRecord, {path, body}: AwsRequest): Promise<AwsResponse> {
  const alias = findAlias(record, path['Name']!)
  const version = readText(body, 'FunctionVersion', {max: 1024})
  const description = readText(body, 'Description', {max: 256})
  if (version !== undefined) alias.version = checkedVersion(record, version)
  if (description !== undefined) alias.description = description
  alias.revisionId = randomUUID()
  await functions.save(record)
  return {status: 200, body: show(record, alias)}
}

export const getAlias = (record: FunctionRecord, {path}: AwsRequest): AwsResponse => {
  return {status: 200, body: show(record, findAlias(record, path['Name']!))}
}

export function listAliases(record: FunctionRecord, {query}: AwsRequest): AwsResponse {
  const wanted = query.get('FunctionVersion')?.[0]
  const matching = record.aliases.filter(({version}) => wanted === undefined || version === wanted)
  const {items, ...next} = page(matching, query, ({name}) => name, 50)
  return {status: 200, body: {Aliases: items.map((alias) => show(record, alias)), ...next}}
}

/** Lambda answers 204 for one that is not there, too. */
export async function deleteAlias(functions: Functions, record: FunctionRecord, {path}: AwsRequest): Promise<AwsResponse> {
  record.aliases = record.aliases.filter(({name}) => name !== path['Name'])
  await functions.save(record)
  return {status: 204}
}

function checkedVersion(record: FunctionRecord, version: string): string {
  const isVersion = version === '$LATEST' || /^\d+$/.test(version)
  if (!isVersion || !versionOf(record, version)) throw notFound(`Function not found: ${qualifiedArn(record, version)}`)
  return version
}

function findAlias(record: FunctionRecord, name: string): Alias {
  const alias = record.aliases.find((candidate) => candidate.name === name)
  if (!alias) throw notFound(`Cannot find alias arn: ${qualifiedArn(record, name)}`)
  return alias
}

function show(record: FunctionRecord, {name, version, description, revisionId}: Alias) {
  return {
    AliasArn: qualifiedArn(record, name),
    Name: name,
    FunctionVersion: version,
    Description: description,
    RevisionId: revisionId,
  }
}
