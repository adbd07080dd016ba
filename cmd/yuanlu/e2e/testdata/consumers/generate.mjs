// generate.mjs YUANLU FOLDER: makes types.ts and types_.py from the program's own schemas.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { compile } from 'json-schema-to-typescript'
import { FetchingJSONSchemaStore, InputData, JSONSchemaInput, quicktype } from 'quicktype-core'

const [yuanlu, folder] = process.argv.slice(2)
const bundle = name => execFileSync(yuanlu, ['api', '--bundle', name]).toString()
const names = JSON.parse(execFileSync(yuanlu, ['version', '--json']).toString()).schemas.map(id => id.replace('urn:yuanlu:schema:', ''))

// Each schema alone, so that none lacks a name; those of the consumers in one file.
fs.mkdirSync(path.join(folder, 'all'))
for (const name of names) {
  fs.writeFileSync(path.join(folder, 'all', name + '.ts'), await compile(JSON.parse(bundle(name)), name, { bannerComment: '', format: false }))
}
const used = ['case-event.v1', 'state.v1', 'case-summary.v1', 'ack.v1']
fs.writeFileSync(path.join(folder, 'types.ts'), used.map(name => fs.readFileSync(path.join(folder, 'all', name + '.ts'), 'utf8')).join('\n'))

const sources = new JSONSchemaInput(new FetchingJSONSchemaStore())
for (const name of used.concat('health.v1', 'event.v1', 'cmd.v1', 'rsp.v1')) await sources.addSource({ name: name.replace('.v1', ''), schema: bundle(name) })
const inputData = new InputData()
inputData.addInput(sources)
const python = await quicktype({ inputData, lang: 'python', rendererOptions: { 'python-version': '3.7' } })
fs.writeFileSync(path.join(folder, 'types_.py'), python.lines.join('\n'))
