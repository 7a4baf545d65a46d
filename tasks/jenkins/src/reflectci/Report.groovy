package reflectci

import com.cloudbees.groovy.cps.NonCPS
import groovy.json.JsonSlurper

/** What the runner left behind, as plain maps that survive a restart of the controller. */
class Report implements Serializable {

    private static final long serialVersionUID = 1L

    /** The runner's exit codes, for an end of which no result.json tells. */
    static final Map<Integer, String> WORDS = [
        0: 'passed', 1: 'failed', 2: 'usage', 3: 'auth', 4: 'not-found', 5: 'service', 6: 'timed-out', 7: 'canceled',
        8: 'empty', 9: 'unknown-start', 130: 'interrupted', 143: 'interrupted',
    ]

    /**
     * [verdict, exitCode, message, reportDir, executions: [[suite, id, url, status]]]; text is '' without a report. Then a
     * good end is not called passed: nothing says that suites ran.
     */
    @NonCPS
    static Map read(String text, int exitCode, String reportDir) {
        Object json = text ? new JsonSlurper().parseText(text) : [:]
        List<Map> executions = []
        for (execution in (json.executions ?: [])) {
            executions.add([
                suite: String.valueOf(execution.suite),
                id: String.valueOf(execution.id ?: ''),
                url: String.valueOf(execution.url ?: ''),
                status: String.valueOf(execution.verdict ?: ''),
            ])
        }
        return [
            verdict: String.valueOf(json.verdict ?: (exitCode == 0 ? 'unreported' : WORDS[exitCode]) ?: 'service'),
            exitCode: exitCode,
            message: String.valueOf(json.message ?: 'See the log above.'),
            reportDir: reportDir,
            executions: executions,
        ]
    }

    /** The line with which the build fails or turns unstable. */
    @NonCPS
    static String line(String step, Map result) {
        String text = "${step}: ${result.verdict} (exit code ${result.exitCode}). ${result.message}"
        for (execution in result.executions) {
            if (execution.url && execution.status != 'passed' && !text.contains(execution.url)) {
                text += "\n  ${execution.suite}: ${execution.status} ${execution.url}"
            }
        }
        return text
    }

}
