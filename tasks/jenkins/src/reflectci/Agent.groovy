package reflectci

import hudson.AbortException

/** Runs the runner on the agent that the Pipeline is on: Linux, macOS or Windows, in a docker agent too. */
class Agent implements Serializable {

    private static final long serialVersionUID = 1L

    private static final String FILE = 'reflectci/reflect-ci.pyz'

    private final Object steps
    private final String name
    private final Inputs inputs

    Agent(Object steps, String name, Inputs inputs) {
        this.steps = steps
        this.name = name
        this.inputs = inputs
    }

    /** Runs `reflect-ci command` and returns its exit code. */
    int run(String command) {
        List<String> environment = inputs.environment()
        environment.add('REFLECT_REPORT_DIR=' + inputs.reportDir)
        return execute(command, environment)
    }

    /** Runs `reflect-ci cancel` for the executions that the call names. */
    int cancel() {
        return execute('cancel', inputs.environment())
    }

    /**
     * After an abort: cancels what this call started and the runner left, because it was killed (as on Windows) or did
     * not answer. A result.json means that the runner ended by itself and has canceled already.
     */
    void cancelRest() {
        String started = inputs.reportDir + '/executions.json'
        if (!steps.fileExists(started) || steps.fileExists(inputs.reportDir + '/result.json')) {
            return
        }
        steps.echo("${name}: canceling what was started")
        List<String> environment = ['REFLECT_FROM_FILE=' + started]
        for (key in Inputs.SHARED) {
            if (inputs.given[key]) {
                environment.add(Inputs.variableOf(key) + '=' + inputs.given[key])
            }
        }
        int code = -1
        steps.timeout(time: 2, unit: 'MINUTES') {
            code = execute('cancel', environment)
        }
        if (code != 0) {
            steps.echo("${name}: not everything could be canceled (exit code ${code}), see above")
        }
    }

    private int execute(String command, List<String> environment) {
        int code = -1
        environment.add('REFLECT_JENKINS_COMMAND=' + command)
        String file = inputs.given.runner || inputs.image || steps.env.REFLECT_RUNNER ? '' : bundled()
        if (!file) {
            return launch(environment)
        }
        // A folder of this call's own: a parallel call in the same workspace must not replace the file while it runs.
        String folder = steps.pwd(tmp: true) + '/reflect-ci-' + UUID.randomUUID()
        try {
            steps.writeFile(file: folder + '/reflect-ci.pyz', text: file, encoding: 'Base64')
            environment.add('REFLECT_RUNNER=' + folder + '/reflect-ci.pyz')
            code = launch(environment)
        } finally {
            steps.dir(folder) {
                steps.deleteDir()
            }
        }
        return code
    }

    /** The runner's file in Base64, or '' in a copy of this library that was taken from the sources without it. */
    private String bundled() {
        try {
            return steps.libraryResource(resource: FILE, encoding: 'Base64')
        } catch (AbortException missing) {
            return ''
        }
    }

    private int launch(List<String> environment) {
        int code = -1
        steps.withEnv(environment) {
            if (inputs.image) {
                code = steps.withEnv(['REFLECT_IMAGE=' + inputs.image]) {
                    steps.sh(label: 'Reflect', returnStatus: true, script: steps.libraryResource('reflectci/container.sh'))
                }
            } else if (steps.isUnix()) {
                code = steps.sh(label: 'Reflect', returnStatus: true, script: steps.libraryResource('reflectci/agent.sh'))
            } else {
                String script = steps.libraryResource('reflectci/agent.ps1')
                code = steps.powershell(label: 'Reflect', returnStatus: true, script: script)
            }
        }
        return code
    }

}
