import engine.Build
import groovy.json.JsonOutput
import groovy.json.JsonSlurperClassic

/*
 * Reads a build a line from stdin and answers each with a line on stdout when it has ended: one JVM for many builds,
 * several at a time. {"abort": id} aborts one as the button in Jenkins does.
 */
PrintStream answers = System.out
System.setOut(System.err)
Map<Object, Build> running = [:].asSynchronized()
System.in.eachLine('UTF-8') { String line ->
    Map spec = (Map) new JsonSlurperClassic().parseText(line)
    if (spec.abort != null) {
        Build build = running[spec.abort]
        if (build != null) {
            build.abort = true
        }
        return
    }
    Build build = new Build(spec)
    running[spec.id] = build
    Thread.startDaemon {
        Map answer = build.run()
        String text = JsonOutput.toJson([id: spec.id] + answer)
        synchronized (answers) {
            answers.println(text)
            answers.flush()
        }
        running.remove(spec.id)
    }
}
