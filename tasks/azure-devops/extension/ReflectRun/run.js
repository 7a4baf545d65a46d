'use strict';
// The task: starts the runner; its exit code is the task's result.

const path = require('path');
const tl = require('azure-pipelines-task-lib/task');
const { environment, reportDir, start } = require('./runner');

async function main() {
    const command = tl.getInput('command') || 'run';
    if (command === 'run') tl.setTaskVariable('executions', path.join(reportDir(), 'executions.json'));
    const code = await start([command], environment());
    if (code === 0) tl.setResult(tl.TaskResult.Succeeded, '');
    else tl.setResult(tl.TaskResult.Failed, typeof code === 'number' ? `reflect-ci ${command} ended with exit code ${code}; the lines above say why.` : `reflect-ci ${command} ${code}.`);
}

main().catch(error => tl.setResult(tl.TaskResult.Failed, error.message));
