'use strict';
// What run.js and cancel.js share: the task's inputs as the runner's environment, and the start of the runner.
// No input is interpreted here; the runner says what is wrong with one.

const { spawn } = require('child_process');
const fs = require('fs');
const path = require('path');
const tl = require('azure-pipelines-task-lib/task');

// Read by this task itself; every other input is one of the runner's.
const OWN = ['serviceConnection', 'command', 'runner'];
const PACKED = path.join(__dirname, 'reflect-ci.pyz');
const CHECK = 'import sys; sys.exit(sys.version_info < (3, 9))';

/** camelCase to the runner's variable: reportDir becomes REFLECT_REPORT_DIR. */
function variable(input) {
    return 'REFLECT_' + input.replace(/[A-Z]/g, letter => '_' + letter).toUpperCase();
}

/** Where the reports go: below the agent's temporary folder, which is emptied after every job. */
function reportDir() {
    const root = tl.getVariable('Agent.TempDirectory') || process.cwd();
    return path.resolve(root, tl.getInput('reportDir') || 'reflect-report');
}

/** The environment of the runner. The key goes nowhere else. */
function environment() {
    const environ = { ...process.env };
    for (const input of require('./task.json').inputs) {
        const value = OWN.includes(input.name) ? '' : tl.getInput(input.name);
        if (value) environ[variable(input.name)] = value;
    }
    const connection = tl.getInput('serviceConnection', true);
    const url = tl.getEndpointUrl(connection, true);
    if (url) environ.REFLECT_API_URL = url.replace(/\/+$/, '');
    // Not getEndpointAuthorizationParameter, which writes the value into the debug log.
    const authorization = tl.getEndpointAuthorization(connection, true);
    const key = authorization && authorization.parameters && authorization.parameters.apitoken;
    if (key) environ.REFLECT_API_KEY = key;
    environ.REFLECT_REPORT_DIR = reportDir();
    return environ;
}

/** A Python that can run the runner, as a command line; on Windows the launcher `py` is asked last. */
function python() {
    for (const words of [['python3'], ['python'], ['py', '-3']]) {
        const found = tl.which(words[0]);
        if (found && tl.execSync(found, [...words.slice(1), '-c', CHECK], { silent: true }).code === 0) return [found, ...words.slice(1)];
    }
    throw new Error('There is no Python 3.9 or later on the agent\'s PATH. Add the task UsePythonVersion@0 before this one, or set runner to "installed".');
}

/** The command line that starts the runner. */
function commandLine(runner) {
    if (runner === 'installed') {
        const found = tl.which('reflect-ci');
        if (!found) throw new Error('runner is "installed", but there is no reflect-ci on the agent\'s PATH. Install it there, or leave runner empty.');
        return [found];
    }
    const file = runner || PACKED;
    if (!fs.existsSync(file)) throw new Error(`There is no runner at ${file}. Leave the input runner empty, or give the path of a reflect-ci.pyz.`);
    return [...python(), '-I', file];
}

/** Start the runner, hand the agent's signals on to it, and resolve with its exit code. */
function start(words, environ) {
    const [program, ...first] = commandLine(tl.getInput('runner') || '');
    return new Promise((resolve, reject) => {
        // Its output goes straight to the agent, which reads the runner's logging commands there.
        const child = spawn(program, [...first, ...words], { env: environ, stdio: ['ignore', 'inherit', 'inherit'] });
        for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
        child.on('error', reject);
        child.on('exit', (code, signal) => resolve(code === null ? `was ended by ${signal}` : code));
    });
}

module.exports = { environment, reportDir, start };
