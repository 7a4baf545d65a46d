'use strict';
// Runs after the job's steps. When the job was cancelled, it cancels on the service what this task started and what may
// still run: the agent gives the task itself only seconds, and a job can be cancelled after a start that did not wait.

const fs = require('fs');
const tl = require('azure-pipelines-task-lib/task');
const { environment, start } = require('./runner');

async function main() {
    const file = tl.getTaskVariable('executions');
    if (!file || (tl.getVariable('Agent.JobStatus') || '').toLowerCase() !== 'canceled') return;
    if (!fs.existsSync(file)) {
        console.log('Nothing was started, so there is nothing to cancel.');
        return;
    }
    const environ = { ...environment(), REFLECT_FROM_FILE: file };
    delete environ.REFLECT_EXECUTIONS;
    const code = await start(['cancel'], environ);
    if (code !== 0) tl.setResult(tl.TaskResult.Failed, `The suites could not be cancelled (exit code ${code}); the lines above say why.`);
}

main().catch(error => tl.setResult(tl.TaskResult.Failed, error.message));
