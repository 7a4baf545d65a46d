package engine

import com.cloudbees.groovy.cps.Outcome
import hudson.AbortException

/**
 * A process of the agent, as the durable-task plugin runs one: an abort signals every process that carries the step's
 * cookie in its environment, waits for the exit, and gives up waiting after 20 seconds.
 */
class Shell implements Operation {

    private final Build build
    private final Map arguments
    private final Process process
    private final Thread reader
    private final StringBuilder output = new StringBuilder()
    private final String cookie = "durable-${UUID.randomUUID()}"
    private final int signal
    private Throwable cause
    private long giveUp

    Shell(Build build, Map arguments, List<String> command, Map<String, String> environment, File folder, int signal) {
        this.build = build
        this.arguments = arguments
        this.signal = signal
        folder.mkdirs()
        ProcessBuilder builder = new ProcessBuilder(command)
        builder.directory(folder)
        builder.redirectErrorStream(arguments.returnStdout != true)
        builder.redirectInput(new File('/dev/null'))
        builder.environment().clear()
        builder.environment().putAll(environment)
        builder.environment().put('JENKINS_SERVER_COOKIE', cookie)
        process = builder.start()
        reader = Thread.start {
            process.inputStream.withReader('UTF-8') { stream ->
                stream.eachLine { String line ->
                    if (arguments.returnStdout == true) {
                        output.append(line).append('\n')
                    } else {
                        build.log.line(line)
                    }
                }
            }
        }
    }

    @Override
    Outcome poll() {
        if (cause != null && process.alive && System.currentTimeMillis() > giveUp) {
            build.log.line('After 20s process did not stop')
            return new Outcome(null, cause)
        }
        if (process.alive) {
            return null
        }
        reader.join(5_000)
        int code = process.exitValue()
        if (cause != null) {
            build.log.line("script returned exit code ${code}")
            return new Outcome(null, cause)
        }
        if (arguments.returnStatus == true) {
            return new Outcome(code, null)
        }
        if (code != 0) {
            return new Outcome(null, new AbortException("script returned exit code ${code}"))
        }
        return new Outcome(arguments.returnStdout == true ? output.toString() : null, null)
    }

    @Override
    void stop(Throwable cause) {
        if (this.cause == null) {
            this.cause = cause
            build.log.line('Sending interrupt signal to process')
            if (build.spec.signals) {
                giveUp = System.currentTimeMillis() + 20_000
                kill(signal)
            } else {
                // Nothing will come of it, so the test need not wait that long.
                giveUp = System.currentTimeMillis() + 500
            }
        }
    }

    void kill(int number) {
        for (folder in new File('/proc').listFiles()) {
            if (folder.name.isInteger()) {
                try {
                    if (new File(folder, 'environ').getText('ISO-8859-1').contains("JENKINS_SERVER_COOKIE=${cookie}".toString())) {
                        ['kill', "-${number}", folder.name].execute().waitFor()
                    }
                } catch (IOException gone) {
                    // A process that ended while it was looked at, or one of somebody else.
                    continue
                }
            }
        }
    }

}
