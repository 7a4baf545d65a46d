'use strict';
// node validate.js SCHEMA FILE…: what Microsoft's language service says about each file; the last line is JSON
// {file: ["line: message"]} (the service itself writes to stdout while it works).
const fs = require('fs');
const { getLanguageService, parse } = require('azure-pipelines-language-service');
const { TextDocument } = require('vscode-languageserver-textdocument');

const [schemaFile, ...files] = process.argv.slice(2);
// The service resolves references inside the object, so each file gets its own.
const schema = () => Promise.resolve(JSON.parse(fs.readFileSync(schemaFile, 'utf8')));
const service = getLanguageService(schema, [], () => Promise.resolve('schema:'), {
    resolveRelativePath: relative => relative,
});
service.configure({ validate: true, schemas: [] });

(async () => {
    const result = {};
    for (const file of files) {
        const text = fs.readFileSync(file, 'utf8');
        const document = TextDocument.create('file://' + file, 'azure-pipelines', 1, text);
        const found = await service.doValidation(document, parse(text));
        result[file] = found.map(one => `${one.range.start.line + 1}: ${one.message}`);
    }
    process.stdout.write('\n' + JSON.stringify(result) + '\n');
})().catch(error => {
    console.error(error);
    process.exit(2);
});
