package engine

/** The build's log: as it was written, and with the bound credentials masked as Jenkins shows it. */
class Log {

    private final StringBuilder text = new StringBuilder()
    private final Set<String> secrets = new LinkedHashSet<>()

    synchronized void line(String line) {
        text.append(line).append('\n')
    }

    synchronized void secret(String value) {
        if (value) {
            secrets.add(value)
        }
    }

    synchronized String raw() {
        return text.toString()
    }

    synchronized String masked() {
        String shown = text.toString()
        for (secret in secrets) {
            shown = shown.replace(secret, '****')
        }
        return shown
    }

    static String trace(Throwable problem) {
        StringWriter writer = new StringWriter()
        problem.printStackTrace(new PrintWriter(writer))
        return writer.toString().readLines().take(25).join('\n')
    }

}
