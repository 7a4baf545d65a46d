package reflectci

import org.jenkinsci.plugins.credentialsbinding.impl.CredentialNotFoundException
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

/** One call of reflectRun, reflectWait or reflectCancel: from the Jenkinsfile's map to the build's result. */
class Step implements Serializable {

    private static final long serialVersionUID = 1L

    private final Object steps
    private final String name
    private final String command
    private final Map<String, Integer> folders

    /** folders: how often each report folder was used in this build; the step's file in vars/ keeps it. */
    Step(Object steps, String name, String command, Map<String, Integer> folders) {
        this.steps = steps
        this.name = name
        this.command = command
        this.folders = folders
    }

    /** Returns [verdict, exitCode, message, reportDir, executions], or fails the build. */
    Map call(Map config) {
        String problem = Inputs.problemOf(name, command, config)
        if (problem) {
            steps.error(problem)
        }
        Inputs inputs = new Inputs(config, folders)
        Agent agent = new Agent(steps, name, inputs)
        int code = -1
        if (command == 'cancel') {
            code = withKey(inputs) { limited(300) { agent.cancel() } }
        } else {
            code = withKey(inputs) { runOrCancel(agent, inputs) }
        }
        String file = inputs.reportDir + '/result.json'
        boolean reported = command != 'cancel' && steps.fileExists(file)
        Map result = Report.read(reported ? steps.readFile(file: file, encoding: 'UTF-8') : '', code, inputs.reportDir)
        if (reported && inputs.junit) {
            publish(inputs.reportDir + '/junit.xml')
        }
        if (code != 0) {
            if (inputs.failBuild) {
                steps.error(Report.line(name, result))
            }
            steps.unstable(Report.line(name, result))
        }
        return result
    }

    /** Runs the body with the key in REFLECT_API_KEY, and nowhere else. */
    private int withKey(Inputs inputs, Closure<Integer> body) {
        if (!inputs.credentialsId || inputs.given.apiKeyFile) {
            return body()
        }
        int code = -1
        try {
            steps.withCredentials([steps.string(credentialsId: inputs.credentialsId, variable: 'REFLECT_API_KEY')]) {
                code = body()
            }
        } catch (CredentialNotFoundException missing) {
            if (inputs.given.missingKey != 'skip') {
                steps.error("${name}: Jenkins has no 'Secret text' credential '${inputs.credentialsId}' that this job may " +
                    "use (${missing.message}). Create one with the API key, or write credentialsId: '<its id>'. With " +
                    "credentialsId: '' the key is taken from REFLECT_API_KEY.")
            }
            code = body()
        }
        return code
    }

    /** Runs with a time limit. On an abort, what the runner could not cancel itself is canceled before the build ends. */
    private int runOrCancel(Agent agent, Inputs inputs) {
        int code = -1
        try {
            code = limited(Inputs.backstop(inputs.given.timeout ?: steps.env.REFLECT_TIMEOUT)) { agent.run(command) }
        } catch (FlowInterruptedException stopped) {
            try {
                agent.cancelRest()
            // Whatever it is, the abort goes on; what is left is named, so that somebody can cancel it.
            /* groovylint-disable-next-line CatchException */
            } catch (Exception problem) {
                steps.echo("${name}: could not cancel (${problem}). What runs is in ${inputs.reportDir}/executions.json.")
            }
            throw stopped
        }
        return code
    }

    private int limited(int seconds, Closure<Integer> body) {
        int code = -1
        steps.timeout(time: seconds, unit: 'SECONDS') {
            code = body()
        }
        return code
    }

    private void publish(String pattern) {
        if (!steps.fileExists(pattern)) {
            return
        }
        try {
            steps.junit(testResults: pattern, allowEmptyResults: true)
        } catch (NoSuchMethodError missing) {
            steps.echo("${name}: the JUnit plugin is not installed, so the tests are not on the build's page. " +
                'Install it, or write junit: false.')
        }
    }

}
