package reflectci

import com.cloudbees.groovy.cps.NonCPS
import groovy.json.JsonOutput

/**
 * What a call was given: checks the keys and turns the values into the runner's REFLECT_* variables.
 *
 * Pure, so everything is @NonCPS, and restricted to what the Pipeline sandbox allows (folder libraries run in it).
 */
class Inputs implements Serializable {

    private static final long serialVersionUID = 1L

    /** The runner's inputs: the key that a Jenkinsfile writes, and how its value becomes text. */
    static final Map<String, String> KINDS = [
        suites: 'list',
        executions: 'executions',
        fromFile: 'text',
        apiKeyFile: 'text',
        apiUrl: 'text',
        hosts: 'lines',
        variables: 'pairs',
        parameters: 'pairs',
        cookies: 'json',
        headers: 'pairs',
        localStorage: 'pairs',
        sessionStorage: 'pairs',
        overrides: 'json',
        tunnel: 'text',
        mobileApps: 'lines',
        commit: 'text',
        wait: 'text',
        allowEmpty: 'text',
        timeout: 'text',
        onTimeout: 'text',
        waitForUrl: 'text',
        conflict: 'text',
        concurrency: 'text',
        reportDir: 'text',
        missingKey: 'text',
        runner: 'text',
    ]

    /** The inputs that only some of the steps take; every other one is for all of them or for reflectRun alone. */
    static final List<String> SHARED = ['apiKeyFile', 'apiUrl', 'runner']
    static final Map<String, List<String>> TAKEN = [
        run: (KINDS.keySet() - ['executions', 'fromFile']).toList(),
        wait: SHARED + ['executions', 'fromFile', 'allowEmpty', 'timeout', 'onTimeout', 'reportDir'],
        cancel: SHARED + ['executions', 'fromFile'],
    ]

    /** What Jenkins does around the runner. */
    static final List<String> JENKINS = ['credentialsId', 'failBuild', 'image']

    static final String DEFAULT_CREDENTIAL = 'reflect-api-key'

    final Map<String, String> given = [:]
    final String credentialsId
    final boolean failBuild
    final boolean junit
    final String image
    final String reportDir

    /** Of a config in which problemOf found nothing; taken: the report folders that this build has used already. */
    Inputs(Map config, Map<String, Integer> taken) {
        for (entry in KINDS.entrySet()) {
            String text = textOf(entry.value, config[entry.key])
            if (text) {
                given[entry.key] = text
            }
        }
        credentialsId = config.credentialsId == null ? DEFAULT_CREDENTIAL : config.credentialsId.toString()
        failBuild = config.failBuild == null || config.failBuild.toString() != 'false'
        junit = config.junit == null || config.junit.toString() != 'false'
        image = config.image == null ? '' : config.image.toString()
        reportDir = given.reportDir ?: folderOf(taken)
    }

    /** The sentence that says which key is wrong and what to write, or null. */
    @NonCPS
    static String problemOf(String step, String command, Map config) {
        List<String> known = TAKEN[command] + JENKINS + (command == 'cancel' ? [] : ['junit'])
        for (name in config.keySet()) {
            String key = name
            if (key == 'apiKey') {
                return "${step}: apiKey is not accepted, because a key in a Jenkinsfile ends up in the log and in " +
                    "the job's history. Store it as a 'Secret text' credential and write credentialsId: '<its id>'."
            }
            if (!known.contains(key)) {
                String near = nearest(key, known)
                return "${step}: '${key}' is not an input." + (near ? " Did you mean '${near}'?" : '') +
                    " It takes: ${known.sort(false).join(', ')}."
            }
            if (key == 'failBuild' || key == 'junit') {
                if (!['true', 'false'].contains("${config[key]}".toString())) {
                    return "${step}: ${key} is '${config[key]}'. Write true or false."
                }
            }
        }
        return null
    }

    /** REFLECT_ and the input's name, as every other CI spells it. */
    @NonCPS
    static String variableOf(String key) {
        return 'REFLECT_' + key.replaceAll('([A-Z])', '_$1').toUpperCase()
    }

    /** NAME=value lines for withEnv. It takes the values to the letter: nothing in them is expanded. */
    @NonCPS
    List<String> environment() {
        List<String> lines = []
        for (entry in given.entrySet()) {
            lines.add(variableOf(entry.key) + '=' + entry.value)
        }
        return lines
    }

    /**
     * Seconds after which Jenkins itself stops the step: five minutes more than the runner's own deadline, which comes
     * first, cancels the executions and says what still ran. This one is for an agent that hangs.
     */
    @NonCPS
    static int backstop(String timeout) {
        String text = (timeout ?: '30m').trim().toLowerCase()
        long seconds = 0
        if (text.matches('[0-9]{1,6}')) {
            seconds = Integer.parseInt(text)
        } else if (text.matches('([0-9]{1,4}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?')) {
            String rest = text
            for (unit in [['h', 3600], ['m', 60], ['s', 1]]) {
                int at = rest.indexOf((String) unit[0])
                if (at > 0) {
                    seconds += Integer.parseInt(rest.substring(0, at)) * (int) unit[1]
                    rest = rest.substring(at + 1)
                }
            }
        }
        // Not a length of time: the runner says so at once, and nothing waits.
        return (int) Math.min(seconds > 0 ? seconds : 1800L, 86400L) + 300
    }

    /**
     * The folder for the reports when the call names none: after its suites, and with a number when an earlier call of this
     * build has that one already. So calls that run in parallel in one workspace do not mix their reports.
     */
    @NonCPS
    private String folderOf(Map<String, Integer> taken) {
        String name = (given.suites ?: given.executions ?: given.fromFile ?: '').trim()
        String folder = name.replaceAll('[^A-Za-z0-9._-]+', '_').replaceAll('^[.]+', '_')
        if (folder.length() > 60) {
            folder = folder.substring(0, 50) + '-' + Integer.toString(name.hashCode() & 0x7fffffff, 36)
        }
        int count = (taken[folder] ?: 0) + 1
        taken[folder] = count
        String numbered = count == 1 ? folder : folder ? folder + '-' + count : String.valueOf(count)
        return numbered ? 'reflect-report/' + numbered : 'reflect-report'
    }

    @NonCPS
    private static String textOf(String kind, Object value) {
        if (value == null) {
            return ''
        }
        boolean map = value instanceof Map
        boolean list = value instanceof Collection
        if (!map && !list) {
            return value.toString()
        }
        if (kind == 'json') {
            return jsonOf(value)
        }
        if (map && kind == 'pairs') {
            Map<String, String> texts = [:]
            for (entry in ((Map) value).entrySet()) {
                texts[entry.key.toString()] = entry.value == null ? '' : entry.value.toString()
            }
            // JSON, because a value may hold line breaks.
            return JsonOutput.toJson(texts)
        }
        List<String> lines = []
        if (map) {
            for (entry in ((Map) value).entrySet()) {
                lines.add(entry.key.toString() + '=' + entry.value)
            }
        } else {
            for (item in (Collection) value) {
                // What reflectRun returned goes in as it is.
                lines.add(kind == 'executions' && item instanceof Map ? item.suite + '/' + item.id : String.valueOf(item))
            }
        }
        return lines.join('\n')
    }

    @NonCPS
    private static String jsonOf(Object value) {
        // The sandbox allows toJson of a Map only, so a list travels in one.
        String text = JsonOutput.toJson([v: value])
        return text.substring(5, text.length() - 1)
    }

    /** The known name that needs the fewest changes, when few enough are needed to have been meant. */
    @NonCPS
    private static String nearest(String word, List<String> known) {
        String best = null
        int fewest = Math.max(2, (int) (word.length() / 3)) + 1
        for (name in known) {
            int changes = distance(word.toLowerCase().replaceAll('[_-]', ''), name.toLowerCase())
            if (changes < fewest) {
                fewest = changes
                best = name
            }
        }
        return best
    }

    @NonCPS
    private static int distance(String a, String b) {
        List<Integer> above = []
        for (int j = 0; j <= b.length(); j++) {
            above.add(j)
        }
        for (int i = 1; i <= a.length(); i++) {
            List<Integer> row = [i]
            for (int j = 1; j <= b.length(); j++) {
                int swap = (int) above[j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1)
                row.add(Math.min(Math.min((int) above[j] + 1, (int) row[j - 1] + 1), swap))
            }
            above = row
        }
        return (int) above[b.length()]
    }

}
